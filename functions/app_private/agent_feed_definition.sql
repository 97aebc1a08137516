/*
 * The feed of each account: the updates of the agents that it follows, published since it began to,
 * and whether it has read them. db/derived/agents.sql keeps it.
 *
 * A row for each follower and update, so that a page of the feed is a range of an index whether one
 * follows three agents or a thousand; the writers write one row whatever the number of followers.
 */
create or replace view app_private.agent_feed_definition as
select
  f.account_id,
  u.id as update_id,
  u.agent_id,
  a.owner_id,
  u.published_at,
  r.update_id is not null as is_read
from app_public.agent_follow f
join app_public.agent a on a.id = f.agent_id
join app_public.agent_update u on u.agent_id = f.agent_id and u.published_at >= f.followed_at
left join app_public.update_read r on r.account_id = f.account_id and r.update_id = u.id
where f.unfollowed_at is null and u.deleted_at is null and a.deleted_at is null;

comment on view app_private.agent_feed_definition is 'What app_public.agent_feed_item holds.';
