/*
 * A moderator's decision that a conversation takes neither votes nor opinions until it is unlocked.
 *
 * The update locks the conversation against other such decisions; votes and opinions that are being
 * written beside it take only a key share and go on: they count as written before. Repeating it
 * changes nothing.
 */
create or replace function app_public.lock_conversation(
  conversation_id bigint, reason text default ''
)
  returns app_public.conversation
  language plpgsql
  volatile
  security invoker
  set search_path to ''
as $$
declare
  v_account_id constant bigint := app_hidden.require_moderator();
  v_reason constant text :=
    app_hidden.require_text(lock_conversation.reason, 'reason', 0, 2000, 'DL009');
  v_conversation app_public.conversation;
begin
  update app_public.conversation c
    set locked_at = now()
    where c.id = lock_conversation.conversation_id and c.locked_at is null and c.deleted_at is null
    returning c.* into v_conversation;
  if found then
    insert into app_public.conversation_moderation (conversation_id, moderator_id, action, reason)
      values (v_conversation.id, v_account_id, 'locked', v_reason);
    return v_conversation;
  end if;
  select c.* into v_conversation from app_public.conversation c
    where c.id = lock_conversation.conversation_id and c.deleted_at is null;
  if v_conversation.id is null then
    raise exception 'There is no such conversation' using
      errcode = 'DL001',
      detail = pg_catalog.format('conversation %s', lock_conversation.conversation_id),
      hint = 'It may have been deleted: reload the list of conversations.';
  end if;
  return v_conversation;
end
$$;

comment on function app_public.lock_conversation(bigint, text) is
  'Locks a conversation: it takes neither votes nor opinions. For moderators.';

grant execute on function app_public.lock_conversation(bigint, text)
  to app_anonymous, app_account, app_moderator;
