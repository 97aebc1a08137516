/* A message of the account's, or an error that says why it is none. Locks nothing. */
create or replace function app_private.require_own_message(
  conversation_id bigint, message_id bigint, account_id bigint
)
  returns app_public.direct_message
  language plpgsql
  stable
  security invoker
  set search_path to ''
as $$
declare
  v_message app_public.direct_message;
begin
  select m.* into v_message from app_public.direct_message m
    where m.conversation_id = require_own_message.conversation_id
      and m.id = require_own_message.message_id;
  if v_message.id is null then
    raise exception 'There is no such message' using
      errcode = 'MS009',
      detail = pg_catalog.format('conversation %s, message %s',
        require_own_message.conversation_id, require_own_message.message_id),
      hint = 'Reload the conversation.';
  end if;
  if v_message.sender_id <> require_own_message.account_id then
    raise exception 'Only its sender may change or delete a message' using
      errcode = 'MS010',
      detail = pg_catalog.format('conversation %s, message %s, account %s',
        v_message.conversation_id, v_message.id, require_own_message.account_id),
      hint = 'Ask the sender, or block the account.';
  end if;
  return v_message;
end
$$;

comment on function app_private.require_own_message(bigint, bigint, bigint) is
  'The message of the account; MS009 or MS010 if it is none.';
