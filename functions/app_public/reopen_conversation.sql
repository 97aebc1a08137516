/*
 * Opens a closed conversation again. One that is also locked stays locked. Repeating it changes
 * nothing.
 *
 * The update locks the conversation against other such decisions, then the history says who undid
 * which.
 */
create or replace function app_public.reopen_conversation(conversation_id bigint)
  returns app_public.conversation
  language plpgsql
  volatile
  security invoker
  set search_path to ''
as $$
declare
  v_account_id constant bigint :=
    app_hidden.require_conversation_keeper(reopen_conversation.conversation_id);
  v_conversation app_public.conversation;
begin
  update app_public.conversation c
    set closed_at = null
    where c.id = reopen_conversation.conversation_id and c.closed_at is not null
      and c.deleted_at is null
    returning c.* into v_conversation;
  if found then
    update app_public.conversation_moderation m
      set withdrawn_at = now(), withdrawn_by_id = v_account_id
      where m.conversation_id = v_conversation.id and m.action = 'closed'
        and m.withdrawn_at is null;
    return v_conversation;
  end if;
  select c.* into v_conversation from app_public.conversation c
    where c.id = reopen_conversation.conversation_id and c.deleted_at is null;
  return v_conversation;
end
$$;

comment on function app_public.reopen_conversation(bigint) is
  'Opens a closed conversation again. For its owner and moderators.';

grant execute on function app_public.reopen_conversation(bigint)
  to app_anonymous, app_account, app_moderator;
