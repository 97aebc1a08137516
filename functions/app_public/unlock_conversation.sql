/*
 * Ends a lock. A conversation that is also closed stays closed. Repeating it changes nothing.
 *
 * The update locks the conversation against other such decisions, then the history says who undid
 * which.
 */
create or replace function app_public.unlock_conversation(conversation_id bigint)
  returns app_public.conversation
  language plpgsql
  volatile
  security invoker
  set search_path to ''
as $$
declare
  v_account_id constant bigint := app_hidden.require_moderator();
  v_conversation app_public.conversation;
begin
  update app_public.conversation c
    set locked_at = null
    where c.id = unlock_conversation.conversation_id and c.locked_at is not null
      and c.deleted_at is null
    returning c.* into v_conversation;
  if found then
    update app_public.conversation_moderation m
      set withdrawn_at = now(), withdrawn_by_id = v_account_id
      where m.conversation_id = v_conversation.id and m.action = 'locked'
        and m.withdrawn_at is null;
    return v_conversation;
  end if;
  select c.* into v_conversation from app_public.conversation c
    where c.id = unlock_conversation.conversation_id and c.deleted_at is null;
  if v_conversation.id is null then
    raise exception 'There is no such conversation' using
      errcode = 'DL001',
      detail = pg_catalog.format('conversation %s', unlock_conversation.conversation_id),
      hint = 'It may have been deleted: reload the list of conversations.';
  end if;
  return v_conversation;
end
$$;

comment on function app_public.unlock_conversation(bigint) is
  'Unlocks a conversation. For moderators.';

grant execute on function app_public.unlock_conversation(bigint)
  to app_anonymous, app_account, app_moderator;
