/*
 * The list of direct conversations of each account that takes part: the latest message, whatever
 * became of it, and how many are unread. db/derived/messaging.sql keeps it.
 *
 * For one key it is three look-ups: the membership, the end of the conversation's range in the
 * primary key of direct_message, the reader's range in the one of direct_unread.
 */
create or replace view app_private.direct_conversation_list_definition as
select
  m.account_id,
  c.id as conversation_id,
  c.is_group,
  c.title,
  case m.account_id
    when c.first_account_id then c.second_account_id
    when c.second_account_id then c.first_account_id
  end as other_account_id,
  coalesce(l.created_at, c.created_at) as active_at,
  l.id as last_message_id,
  l.sender_id as last_sender_id,
  pg_catalog.left(l.content, 200) as last_content,
  (
    select count(*) from app_hidden.direct_unread u
    where u.account_id = m.account_id and u.conversation_id = m.conversation_id
  ) as unread_count
from app_public.direct_member m
join app_public.direct_conversation c on c.id = m.conversation_id
left join lateral (
  select x.id, x.sender_id, x.content, x.created_at from app_public.direct_message x
  where x.conversation_id = m.conversation_id
  order by x.id desc
  limit 1
) l on true
where m.left_at is null;

comment on view app_private.direct_conversation_list_definition is
  'What app_public.direct_conversation_list holds.';
