/*
 * A plain count of the reader's rows of direct_unread, so exact in every snapshot; two ranges of
 * primary keys, no message is read. Who has left a conversation has nothing unread there: a message
 * sent in that moment may have left a row.
 */
create or replace function app_hidden.unread_message_count()
  returns bigint
  language sql
  stable
  parallel safe
  security invoker
return (
  select count(*) from app_hidden.direct_unread u
  join app_public.direct_member m
    on m.account_id = u.account_id and m.conversation_id = u.conversation_id
  where u.account_id = (select app_hidden.current_account_id()) and m.left_at is null
);

comment on function app_hidden.unread_message_count() is
  'How many direct messages the account of the request has not read.';

grant execute on function app_hidden.unread_message_count()
  to app_anonymous, app_account, app_moderator;
