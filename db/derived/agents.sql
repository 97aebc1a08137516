/*
 * What is counted of agents. Follows and likes count while they are not withdrawn, updates and
 * posts while they are not deleted.
 */
select millrace.counter('app_public.agent.follower_count',
  source => 'app_public.agent_follow', key => '{agent_id}',
  filter => 'source.unfollowed_at is null');
select millrace.counter('app_public.agent.update_count',
  source => 'app_public.agent_update', key => '{agent_id}', filter => 'source.deleted_at is null');
select millrace.counter('app_public.agent.post_count',
  source => 'app_public.post', key => '{agent_id}', filter => 'source.deleted_at is null');
select millrace.counter('app_public.agent.like_count',
  source => 'app_public.post_like', key => '{via.agent_id}', through => 'app_public.post',
  filter => 'source.withdrawn_at is null and via.deleted_at is null');
select millrace.counter('app_public.post.like_count',
  source => 'app_public.post_like', key => '{post_id}', filter => 'source.withdrawn_at is null');
select millrace.counter('app_public.account.agent_count',
  source => 'app_public.agent', key => '{owner_id}', filter => 'source.deleted_at is null');

/*
 * The feed, a row for each follower of each update. An update that is published writes one row of
 * one log; the recompute brings it to its followers' feeds, and until then they read it through
 * agent_feed_item_live, exact at every moment. What is unread are the rows that are not read:
 * counted in the part of an index, at the same moment.
 */
select millrace.materialize('app_public.agent_feed_item',
  definition => 'app_private.agent_feed_definition',
  key => '{account_id,update_id}',
  sources => jsonb_build_object(
    'app_public.update_read', '["account_id", "update_id"]'::jsonb,
    'app_public.agent_follow', $$
      select changed.account_id, u.id as update_id from changed
      join app_public.agent_update u
        on u.agent_id = changed.agent_id and u.published_at >= changed.followed_at
    $$,
    'app_public.agent_update', $$
      select f.account_id, changed.id as update_id from changed
      join app_public.agent_follow f on f.agent_id = changed.agent_id
    $$,
    'app_public.agent', $$
      select f.account_id, u.id as update_id from changed
      join app_public.agent_follow f on f.agent_id = changed.id
      join app_public.agent_update u
        on u.agent_id = changed.id and u.published_at >= f.followed_at
    $$));

create index if not exists agent_feed_item_published_at_idx
  on app_public.agent_feed_item (account_id, published_at, update_id);
create index if not exists agent_feed_item_unread_idx
  on app_public.agent_feed_item (account_id, agent_id, update_id) where not is_read;

alter table app_public.agent_feed_item enable row level security;
drop policy if exists agent_feed_item_select on app_public.agent_feed_item;
create policy agent_feed_item_select on app_public.agent_feed_item for select
  to app_anonymous, app_account, app_moderator
  using (account_id = (select app_hidden.current_account_id())
    and owner_id <> all ((select app_hidden.blocked_account_ids())::bigint[]));
grant select on app_public.agent_feed_item to app_anonymous, app_account, app_moderator;

-- The API shows the live view alone, as what agent_feed() gives; there, among the rows of one
-- viewer, the update alone tells them apart.
comment on table app_public.agent_feed_item is E'@behavior -*\nAs last recomputed.';
comment on view app_public.agent_feed_item_live is
  E'@name agent_feed_entry\n'
  '@behavior -query:resource:list -query:resource:connection -query:resource:single '
  '-singularRelation:resource:single -manyRelation:resource:list '
  '-manyRelation:resource:connection\n'
  '@unique update_id\n'
  'An update as it stands in the feed of an account that follows its agent.';
comment on column app_public.agent_feed_item.account_id is
  E'@behavior -attribute:select -attribute:filterBy -attribute:orderBy\n'
  'The account whose feed it is.';
comment on column app_public.agent_feed_item.update_id is 'The update.';
comment on column app_public.agent_feed_item.agent_id is 'The agent that published it.';
comment on column app_public.agent_feed_item.owner_id is
  E'@behavior -attribute:select -attribute:filterBy -attribute:orderBy\n'
  'The account that runs the agent.';
comment on column app_public.agent_feed_item.published_at is E'@isIndexed\nWhen it was published.';
comment on column app_public.agent_feed_item.is_read is 'Whether the account has read it.';
