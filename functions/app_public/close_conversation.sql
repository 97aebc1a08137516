/*
 * Ends a conversation: it takes neither votes nor opinions until it is reopened. Its owner's right,
 * and moderators'.
 *
 * The update locks the conversation against other such decisions; votes and opinions that are being
 * written beside it take only a key share and go on: they count as written before. Repeating it
 * changes nothing.
 */
create or replace function app_public.close_conversation(
  conversation_id bigint, reason text default ''
)
  returns app_public.conversation
  language plpgsql
  volatile
  security invoker
  set search_path to ''
as $$
declare
  v_account_id constant bigint :=
    app_hidden.require_conversation_keeper(close_conversation.conversation_id);
  v_reason constant text :=
    app_hidden.require_text(close_conversation.reason, 'reason', 0, 2000, 'DL009');
  v_conversation app_public.conversation;
begin
  update app_public.conversation c
    set closed_at = now()
    where c.id = close_conversation.conversation_id and c.closed_at is null and c.deleted_at is null
    returning c.* into v_conversation;
  if found then
    insert into app_public.conversation_moderation (conversation_id, moderator_id, action, reason)
      values (v_conversation.id, v_account_id, 'closed', v_reason);
    return v_conversation;
  end if;
  select c.* into v_conversation from app_public.conversation c
    where c.id = close_conversation.conversation_id and c.deleted_at is null;
  return v_conversation;
end
$$;

comment on function app_public.close_conversation(bigint, text) is
  'Ends a conversation: it takes neither votes nor opinions. For its owner and moderators.';

grant execute on function app_public.close_conversation(bigint, text)
  to app_anonymous, app_account, app_moderator;
