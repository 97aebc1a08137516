/*
 * agent_feed_item_live once more, for the viewer alone and in the order in which it is paged
 * through, as app_hidden.direct_conversation_order does for conversations, for the same reasons:
 * each part comes sorted, so a page needs no sort of a whole feed.
 */
create or replace view app_hidden.agent_feed_order
  with (security_barrier = true)
as
select l.*
from (
  (
    select t.*
    from app_public.agent_feed_item t
    where t.account_id = (select app_hidden.current_account_id())
      and t.owner_id <> all ((select app_hidden.blocked_account_ids())::bigint[])
      and (select d.kept from millrace.derivation d where d.name = 'app_public.agent_feed_item')
      and (
        select true from millrace_log.app_public__agent_feed_item__dirty d
        where d.account_id = t.account_id and d.update_id = t.update_id
        limit 1
      ) is not true
    order by t.published_at desc, t.update_id desc
  )
  union all
  (
    select f.*
    from (
      select distinct d.account_id, d.update_id
      from millrace_log.app_public__agent_feed_item__dirty d
      where d.account_id = (select app_hidden.current_account_id())
    ) b
    cross join lateral (
      select g.* from app_private.agent_feed_definition g
      where g.account_id = b.account_id and g.update_id = b.update_id
      offset 0
    ) f
    where f.owner_id <> all ((select app_hidden.blocked_account_ids())::bigint[])
      and (select d.kept from millrace.derivation d where d.name = 'app_public.agent_feed_item')
    order by f.published_at desc, f.update_id desc
  )
  union all
  (
    select g.*
    from app_private.agent_feed_definition g
    where g.account_id = (select app_hidden.current_account_id())
      and g.owner_id <> all ((select app_hidden.blocked_account_ids())::bigint[])
      and not (select d.kept from millrace.derivation d where d.name = 'app_public.agent_feed_item')
    order by g.published_at desc, g.update_id desc
  )
) l
order by l.published_at desc, l.update_id desc;

comment on view app_hidden.agent_feed_order is
  'The feed of the viewer as of this moment, the newest first.';
comment on column app_hidden.agent_feed_order.account_id is 'The viewer.';
comment on column app_hidden.agent_feed_order.update_id is 'The update.';
comment on column app_hidden.agent_feed_order.agent_id is 'The agent that published it.';
comment on column app_hidden.agent_feed_order.owner_id is 'The account that runs the agent.';
comment on column app_hidden.agent_feed_order.published_at is 'When it was published.';
comment on column app_hidden.agent_feed_order.is_read is 'Whether the viewer has read it.';

grant select on app_hidden.agent_feed_order to app_anonymous, app_account, app_moderator;
