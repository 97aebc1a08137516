/*
 * Writes a message to everybody else in a direct conversation.
 *
 * Inserts only, into rows of its own: the message and one row of app_hidden.direct_unread for each
 * reader. Beside its caller's account it locks (key share) its caller's membership, so two senders
 * never wait for each other; see the migration. A block, a suspension or a departure that is about
 * to commit lets it pass: it counts as sent before.
 *
 * With a request id a repeated request returns the first message and writes nothing, be it after
 * the conversation was left; two at once wait for each other, by the unique index.
 */
create or replace function app_public.send_message(
  conversation_id bigint, content text, request_id uuid default null
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
    app_hidden.require_text(send_message.content, 'message', 1, 4000, 'MS005');
  v_recipients bigint[];
  v_message app_public.direct_message;
begin
  if send_message.request_id is not null then
    select m.* into v_message from app_public.direct_message m
      where m.conversation_id = send_message.conversation_id and m.sender_id = v_account_id
        and m.request_id = send_message.request_id;
  end if;
  if v_message.id is null then
    v_recipients := app_private.require_recipients(send_message.conversation_id, v_account_id);
    insert into app_public.direct_message as m (conversation_id, sender_id, content, request_id)
      values (send_message.conversation_id, v_account_id, v_content, send_message.request_id)
      on conflict (conversation_id, sender_id, request_id) where request_id is not null do nothing
      returning m.* into v_message;
    if found then
      insert into app_hidden.direct_unread (account_id, conversation_id, message_id)
        select r.account_id, v_message.conversation_id, v_message.id
        from pg_catalog.unnest(v_recipients) r (account_id);
      return v_message;
    end if;
    -- The same request beside this one was faster.
    select m.* into v_message from app_public.direct_message m
      where m.conversation_id = send_message.conversation_id and m.sender_id = v_account_id
        and m.request_id = send_message.request_id;
  end if;
  if v_message.content <> v_content and v_message.edited_at is null
    and v_message.deleted_at is null
  then
    raise exception 'This request id belongs to another message' using
      errcode = 'MS006',
      detail = pg_catalog.format('conversation %s, message %s', v_message.conversation_id,
        v_message.id),
      hint = 'Take a new one for every message, and the same one only to repeat a request.';
  end if;
  return v_message;
end
$$;

comment on function app_public.send_message(bigint, text, uuid) is
  'Writes a message. Repeating it with the same request id sends no second one.';

grant execute on function app_public.send_message(bigint, text, uuid)
  to app_anonymous, app_account, app_moderator;
