/*
 * Deletes a message of the caller's: its text is gone for everybody, its place in the conversation
 * stays, and nobody has it unread any more. Senders may do so at any time, suspended, blocked or
 * after they have left. Deleting twice changes nothing.
 *
 * Readers' rows are found by the message, and each reader's own mark_read meets it in that one row
 * only, so the two wait for each other at most and never in a circle.
 */
create or replace function app_public.delete_message(conversation_id bigint, message_id bigint)
  returns app_public.direct_message
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_account_id constant bigint := app_hidden.require_account();
  v_message app_public.direct_message;
begin
  update app_public.direct_message m
    set content = '', deleted_at = now()
    where m.conversation_id = delete_message.conversation_id and m.id = delete_message.message_id
      and m.sender_id = v_account_id and m.deleted_at is null
    returning m.* into v_message;
  if found then
    delete from app_hidden.direct_unread u
      where u.conversation_id = v_message.conversation_id and u.message_id = v_message.id;
    return v_message;
  end if;
  if not exists (
    select from app_public.direct_message m
    where m.conversation_id = delete_message.conversation_id and m.id = delete_message.message_id
      and m.sender_id = v_account_id
  ) then
    perform app_private.require_direct_member(delete_message.conversation_id, v_account_id);
  end if;
  return app_private.require_own_message(
    delete_message.conversation_id, delete_message.message_id, v_account_id);
end
$$;

comment on function app_public.delete_message(bigint, bigint) is
  'Deletes a message of the caller''s for everybody.';

grant execute on function app_public.delete_message(bigint, bigint)
  to app_anonymous, app_account, app_moderator;
