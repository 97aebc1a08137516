/*
 * Changes the text of a message of the caller's. Who may not write in the conversation any more may
 * not change what they wrote there either. The same text again changes nothing.
 */
create or replace function app_public.edit_message(
  conversation_id bigint, message_id bigint, content text
)
  returns app_public.direct_message
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_account_id constant bigint := app_hidden.require_active_account();
  v_content constant text :=
    app_hidden.require_text(edit_message.content, 'message', 1, 4000, 'MS005');
  v_message app_public.direct_message;
begin
  perform app_private.require_recipients(edit_message.conversation_id, v_account_id);
  update app_public.direct_message m
    set content = v_content, edited_at = now()
    where m.conversation_id = edit_message.conversation_id and m.id = edit_message.message_id
      and m.sender_id = v_account_id and m.deleted_at is null and m.content <> v_content
    returning m.* into v_message;
  if found then
    return v_message;
  end if;
  v_message := app_private.require_own_message(
    edit_message.conversation_id, edit_message.message_id, v_account_id);
  if v_message.deleted_at is not null then
    raise exception 'This message is deleted' using
      errcode = 'MS011',
      detail = pg_catalog.format('conversation %s, message %s', v_message.conversation_id,
        v_message.id),
      hint = 'Send another message.';
  end if;
  return v_message;
end
$$;

comment on function app_public.edit_message(bigint, bigint, text) is
  'Changes the text of a message of the caller''s.';

grant execute on function app_public.edit_message(bigint, bigint, text)
  to app_anonymous, app_account, app_moderator;
