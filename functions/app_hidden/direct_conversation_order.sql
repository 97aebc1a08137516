/*
 * direct_conversation_list_live once more, for the viewer alone and in the order in which it is
 * paged through: each part comes sorted, the stored rows by their index, so a page needs no sort of
 * all conversations of somebody who has thousands. The planner cannot know that of the live view,
 * which gives its parts in no order.
 *
 * With its owner's rights, because it reads what the engine keeps beside the relation: the keys
 * whose stored row is not the newest, and whether the relation is kept at all.
 */
create or replace view app_hidden.direct_conversation_order
  with (security_barrier = true)
as
select l.*
from (
  (
    -- A look-up for each row that is passed over: an anti join lets the planner hash and sort all.
    select t.*
    from app_public.direct_conversation_list t
    where t.account_id = (select app_hidden.current_account_id())
      and (
        select d.kept from millrace.derivation d
        where d.name = 'app_public.direct_conversation_list'
      )
      and (
        select true from millrace_log.app_public__direct_conversation_list__dirty d
        where d.account_id = t.account_id and d.conversation_id = t.conversation_id
        limit 1
      ) is not true
    order by t.active_at desc, t.conversation_id desc
  )
  union all
  (
    select f.*
    from (
      select distinct d.account_id, d.conversation_id
      from millrace_log.app_public__direct_conversation_list__dirty d
      where d.account_id = (select app_hidden.current_account_id())
    ) b
    cross join lateral (
      select g.* from app_private.direct_conversation_list_definition g
      where g.account_id = b.account_id and g.conversation_id = b.conversation_id
      offset 0
    ) f
    where (
        select d.kept from millrace.derivation d
        where d.name = 'app_public.direct_conversation_list'
      )
    order by f.active_at desc, f.conversation_id desc
  )
  union all
  (
    select g.*
    from app_private.direct_conversation_list_definition g
    where g.account_id = (select app_hidden.current_account_id())
      and not (
        select d.kept from millrace.derivation d
        where d.name = 'app_public.direct_conversation_list'
      )
    order by g.active_at desc, g.conversation_id desc
  )
) l
order by l.active_at desc, l.conversation_id desc;

comment on view app_hidden.direct_conversation_order is
  'The list of direct conversations of the viewer as of this moment, the latest first.';
comment on column app_hidden.direct_conversation_order.account_id is 'The viewer.';
comment on column app_hidden.direct_conversation_order.conversation_id is 'The conversation.';
comment on column app_hidden.direct_conversation_order.is_group is 'Whether it is a group.';
comment on column app_hidden.direct_conversation_order.title is 'What the group calls itself.';
comment on column app_hidden.direct_conversation_order.other_account_id is
  'In a conversation of two the other account.';
comment on column app_hidden.direct_conversation_order.active_at is
  'When the latest message was sent, or the conversation started.';
comment on column app_hidden.direct_conversation_order.last_message_id is 'The latest message.';
comment on column app_hidden.direct_conversation_order.last_sender_id is 'Who sent it.';
comment on column app_hidden.direct_conversation_order.last_content is 'How it begins.';
comment on column app_hidden.direct_conversation_order.unread_count is
  'How many messages the viewer has not read.';

grant select on app_hidden.direct_conversation_order to app_anonymous, app_account, app_moderator;
