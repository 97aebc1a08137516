/*
 * What is counted in discovery. Upvotes, follows and badges count while they are not withdrawn or
 * revoked, texts while they are not deleted, and what belongs to a deleted project or chain no more
 * counts for its owner.
 */
select millrace.counter('app_public.project.upvote_count',
  source => 'app_public.project_upvote', key => '{project_id}',
  filter => 'source.withdrawn_at is null');
select millrace.counter('app_public.project.comment_count',
  source => 'app_public.project_comment', key => '{project_id}',
  filter => 'source.deleted_at is null');
select millrace.counter('app_public.project.badge_count',
  source => 'app_public.badge', key => '{project_id}', filter => 'source.revoked_at is null');
select millrace.counter('app_public.project.proof_score',
  source => 'app_public.badge', key => '{project_id}', filter => 'source.revoked_at is null',
  value => 'source.points');
select millrace.counter('app_public.project_comment.reply_count',
  source => 'app_public.project_comment', key => '{parent_id}',
  filter => 'source.deleted_at is null');

select millrace.counter('app_public.chain.project_count',
  source => 'app_public.chain_project', key => '{chain_id}', through => 'app_public.project',
  filter => 'source.removed_at is null and via.deleted_at is null');
select millrace.counter('app_public.chain.follower_count',
  source => 'app_public.chain_follow', key => '{chain_id}',
  filter => 'source.unfollowed_at is null');
select millrace.counter('app_public.chain.post_count',
  source => 'app_public.chain_post', key => '{chain_id}',
  filter => 'source.deleted_at is null and source.parent_id is null');
select millrace.counter('app_public.chain.reply_count',
  source => 'app_public.chain_post', key => '{chain_id}',
  filter => 'source.deleted_at is null and source.parent_id is not null');
select millrace.counter('app_public.chain_post.reply_count',
  source => 'app_public.chain_post', key => '{parent_id}', filter => 'source.deleted_at is null');

select millrace.counter('app_public.investor.intro_count',
  source => 'app_public.intro_request', key => '{investor_id}',
  filter => $$source.state = 'accepted'$$);

-- Of an account: what it shows, wrote and keeps, and what others gave to that.
select millrace.counter('app_public.account.project_count',
  source => 'app_public.project', key => '{owner_id}', filter => 'source.deleted_at is null');
select millrace.counter('app_public.account.chain_count',
  source => 'app_public.chain', key => '{owner_id}', filter => 'source.deleted_at is null');
select millrace.counter('app_public.account.comment_count',
  source => 'app_public.project_comment', key => '{author_id}',
  filter => 'source.deleted_at is null');
select millrace.counter('app_public.account.upvote_count',
  source => 'app_public.project_upvote', key => '{via.owner_id}',
  through => 'app_public.project',
  filter => 'source.withdrawn_at is null and via.deleted_at is null');
select millrace.counter('app_public.account.badge_count',
  source => 'app_public.badge', key => '{via.owner_id}', through => 'app_public.project',
  filter => 'source.revoked_at is null and via.deleted_at is null');
select millrace.counter('app_public.account.proof_score',
  source => 'app_public.badge', key => '{via.owner_id}', through => 'app_public.project',
  filter => 'source.revoked_at is null and via.deleted_at is null', value => 'source.points');
select millrace.counter('app_public.account.follower_count',
  source => 'app_public.chain_follow', key => '{via.owner_id}', through => 'app_public.chain',
  filter => 'source.unfollowed_at is null and via.deleted_at is null',
  distinct_on => '{account_id}');

/*
 * What is read by key and private: exact at every moment through intro_request_stats_live.
 */
select millrace.materialize('app_public.intro_request_stats',
  definition => 'app_private.intro_request_stats_definition',
  key => '{account_id}',
  sources => jsonb_build_object('app_public.intro_request', $$
    select requester_id as account_id from changed union select recipient_id from changed
  $$));
alter table app_public.intro_request_stats enable row level security;
drop policy if exists intro_request_stats_select on app_public.intro_request_stats;
create policy intro_request_stats_select on app_public.intro_request_stats for select
  to app_anonymous, app_account, app_moderator
  using (account_id = (select app_hidden.current_account_id()));
grant select on app_public.intro_request_stats to app_anonymous, app_account, app_moderator;
comment on table app_public.intro_request_stats is
  E'@behavior -*\n'
  'Intro requests of an account by state, as last recomputed.';
comment on column app_public.intro_request_stats.account_id is 'The account.';
comment on column app_public.intro_request_stats.sent_requested_count is
  'Requests that it has sent and that wait for an answer.';
comment on column app_public.intro_request_stats.sent_accepted_count is
  'Requests that it has sent and that were accepted.';
comment on column app_public.intro_request_stats.sent_declined_count is
  'Requests that it has sent and that were declined.';
comment on column app_public.intro_request_stats.sent_withdrawn_count is
  'Requests that it has sent and that were withdrawn.';
comment on column app_public.intro_request_stats.sent_expired_count is
  'Requests that it has sent and that nobody answered in time.';
comment on column app_public.intro_request_stats.received_requested_count is
  'Requests that it got and that wait for an answer.';
comment on column app_public.intro_request_stats.received_accepted_count is
  'Requests that it got and that were accepted.';
comment on column app_public.intro_request_stats.received_declined_count is
  'Requests that it got and that were declined.';
comment on column app_public.intro_request_stats.received_withdrawn_count is
  'Requests that it got and that were withdrawn.';
comment on column app_public.intro_request_stats.received_expired_count is
  'Requests that it got and that nobody answered in time.';
comment on view app_public.intro_request_stats_live is
  E'@name intro_request_summary\n'
  '@behavior -query:resource:list -query:resource:connection\n'
  '@foreignKey (account_id) references app_public.account (id)'
  '|@foreignSingleFieldName introRequestStats\n'
  'Intro requests of the viewer by state, sent and received.';

/*
 * Lists. Counters arrive here by way of their table, one drain later; with these waits a list lags
 * less than a second behind what it shows. Each index is one order of the list: a page is a range
 * of it, whatever the size.
 */
select millrace.materialize('app_public.feed_project',
  definition => 'app_private.feed_project_definition',
  key => '{project_id}',
  sources => jsonb_build_object(
    'app_public.project', 'id',
    'app_public.account', $$
      select p.id from app_public.project p join changed on p.owner_id = changed.id
    $$),
  debounce => '200 milliseconds', max_wait => '400 milliseconds', notify => true);
create index if not exists feed_project_trending_score_idx
  on app_public.feed_project (trending_score, project_id);
create index if not exists feed_project_created_at_idx
  on app_public.feed_project (created_at, project_id);
create index if not exists feed_project_upvote_count_idx
  on app_public.feed_project (upvote_count, project_id);
alter table app_public.feed_project enable row level security;
drop policy if exists feed_project_select on app_public.feed_project;
create policy feed_project_select on app_public.feed_project for select
  to app_anonymous, app_account, app_moderator using (true);
grant select on app_public.feed_project to app_anonymous, app_account, app_moderator;
alter table app_public.feed_project
  alter column owner_id set not null,
  alter column title set not null,
  alter column tagline set not null,
  alter column tags set not null,
  alter column created_at set not null,
  alter column upvote_count set not null,
  alter column comment_count set not null,
  alter column badge_count set not null,
  alter column proof_score set not null,
  alter column trending_score set not null;
comment on table app_public.feed_project is
  E'@behavior -query:resource:list -query:resource:connection -query:resource:single '
  '-manyRelation:resource:list -manyRelation:resource:connection\n'
  'A project as it stands in the feeds, less than a second old.';
comment on view app_public.feed_project_live is E'@behavior -*\nThe same at this moment.';

select millrace.materialize('app_public.chain_discovery',
  definition => 'app_private.chain_discovery_definition',
  key => '{chain_id}',
  sources => jsonb_build_object(
    'app_public.chain', 'id',
    'app_public.chain_post', 'chain_id',
    'app_public.account', $$
      select c.id from app_public.chain c join changed on c.owner_id = changed.id
    $$),
  debounce => '200 milliseconds', max_wait => '400 milliseconds');
create index if not exists chain_discovery_activity_score_idx
  on app_public.chain_discovery (activity_score, chain_id);
create index if not exists chain_discovery_created_at_idx
  on app_public.chain_discovery (created_at, chain_id);
create index if not exists chain_discovery_follower_count_idx
  on app_public.chain_discovery (follower_count, chain_id);
alter table app_public.chain_discovery enable row level security;
drop policy if exists chain_discovery_select on app_public.chain_discovery;
create policy chain_discovery_select on app_public.chain_discovery for select
  to app_anonymous, app_account, app_moderator using (true);
grant select on app_public.chain_discovery to app_anonymous, app_account, app_moderator;
alter table app_public.chain_discovery
  alter column owner_id set not null,
  alter column slug set not null,
  alter column name set not null,
  alter column summary set not null,
  alter column created_at set not null,
  alter column project_count set not null,
  alter column follower_count set not null,
  alter column post_count set not null,
  alter column reply_count set not null,
  alter column last_active_at set not null,
  alter column activity_score set not null;
comment on table app_public.chain_discovery is
  E'@behavior -query:resource:list -query:resource:connection -query:resource:single '
  '-manyRelation:resource:list -manyRelation:resource:connection\n'
  'A chain as it stands in the lists of chains, less than a second old.';
comment on view app_public.chain_discovery_live is E'@behavior -*\nThe same at this moment.';

select millrace.materialize('app_public.chain_post_feed',
  definition => 'app_private.chain_post_feed_definition',
  key => '{post_id}',
  sources => jsonb_build_object(
    'app_public.chain_post', 'select coalesce(parent_id, id) from changed',
    'app_public.chain', $$
      select p.id from app_public.chain_post p join changed on p.chain_id = changed.id
      where p.parent_id is null
    $$,
    'app_public.account', $$
      select p.id from app_public.chain_post p join changed on p.author_id = changed.id
      where p.parent_id is null
    $$),
  debounce => '200 milliseconds', max_wait => '400 milliseconds');
create index if not exists chain_post_feed_chain_id_active_idx
  on app_public.chain_post_feed (chain_id, last_active_at, post_id);
create index if not exists chain_post_feed_chain_id_new_idx
  on app_public.chain_post_feed (chain_id, created_at, post_id);
alter table app_public.chain_post_feed enable row level security;
drop policy if exists chain_post_feed_select on app_public.chain_post_feed;
create policy chain_post_feed_select on app_public.chain_post_feed for select
  to app_anonymous, app_account, app_moderator
  using (
    author_id <> all ((select app_hidden.blocked_account_ids())::bigint[])
    or (select app_hidden.is_moderator())
    or (select c.owner_id from app_public.chain c where c.id = chain_post_feed.chain_id)
      = (select app_hidden.current_account_id())
  );
grant select on app_public.chain_post_feed to app_anonymous, app_account, app_moderator;
alter table app_public.chain_post_feed
  alter column chain_id set not null,
  alter column author_id set not null,
  alter column title set not null,
  alter column summary set not null,
  alter column created_at set not null,
  alter column reply_count set not null,
  alter column last_active_at set not null;
comment on table app_public.chain_post_feed is
  E'@behavior -query:resource:list -query:resource:connection -query:resource:single '
  '-manyRelation:resource:list -manyRelation:resource:connection\n'
  'A post as it stands in the list of its chain, less than a second old.';
comment on view app_public.chain_post_feed_live is E'@behavior -*\nThe same at this moment.';

select millrace.materialize('app_public.investor_directory',
  definition => 'app_private.investor_directory_definition',
  key => '{investor_id}',
  sources => jsonb_build_object(
    'app_public.investor', 'id',
    'app_public.account', $$
      select i.id from app_public.investor i join changed on i.account_id = changed.id
    $$),
  debounce => '200 milliseconds', max_wait => '400 milliseconds');
create index if not exists investor_directory_created_at_idx
  on app_public.investor_directory (created_at, investor_id);
create index if not exists investor_directory_intro_count_idx
  on app_public.investor_directory (intro_count, investor_id);
alter table app_public.investor_directory enable row level security;
drop policy if exists investor_directory_select on app_public.investor_directory;
create policy investor_directory_select on app_public.investor_directory for select
  to app_anonymous, app_account, app_moderator using (true);
grant select on app_public.investor_directory to app_anonymous, app_account, app_moderator;
alter table app_public.investor_directory
  alter column account_id set not null,
  alter column name set not null,
  alter column headline set not null,
  alter column summary set not null,
  alter column location set not null,
  alter column stages set not null,
  alter column sectors set not null,
  alter column is_open set not null,
  alter column created_at set not null,
  alter column intro_count set not null;
comment on table app_public.investor_directory is
  E'@behavior -query:resource:list -query:resource:connection -query:resource:single '
  '-manyRelation:resource:list -manyRelation:resource:connection\n'
  'An investor as they stand in the directory, less than a second old.';
comment on view app_public.investor_directory_live is E'@behavior -*\nThe same at this moment.';

/* The page of a project. */
select millrace.materialize('app_public.project_details',
  definition => 'app_private.project_details_definition',
  key => '{project_id}',
  sources => jsonb_build_object(
    'app_public.project', 'id',
    'app_public.badge', 'project_id',
    'app_public.chain_project', 'project_id',
    'app_public.chain', $$
      select cp.project_id from app_public.chain_project cp
      join changed on cp.chain_id = changed.id
    $$,
    'app_public.profile', $$
      select p.id from app_public.project p join changed on p.owner_id = changed.account_id
    $$,
    'app_public.account', $$
      select p.id from app_public.project p join changed on p.owner_id = changed.id
      union
      select b.project_id from app_public.badge b join changed on b.validator_id = changed.id
    $$),
  debounce => '200 milliseconds', max_wait => '400 milliseconds');
alter table app_public.project_details enable row level security;
drop policy if exists project_details_select on app_public.project_details;
create policy project_details_select on app_public.project_details for select
  to app_anonymous, app_account, app_moderator using (true);
grant select on app_public.project_details to app_anonymous, app_account, app_moderator;
alter table app_public.project_details
  alter column owner_id set not null,
  alter column owner_headline set not null,
  alter column title set not null,
  alter column tagline set not null,
  alter column description set not null,
  alter column tags set not null,
  alter column created_at set not null,
  alter column upvote_count set not null,
  alter column comment_count set not null,
  alter column badge_count set not null,
  alter column proof_score set not null,
  alter column badges set not null,
  alter column chains set not null;
comment on table app_public.project_details is
  E'@behavior -query:resource:list -query:resource:connection '
  '-manyRelation:resource:list -manyRelation:resource:connection\n'
  'What the page of a project shows, less than a second old.';
comment on view app_public.project_details_live is E'@behavior -*\nThe same at this moment.';

/*
 * Ranks of everybody: one change can move all others, so these are computed as a whole, and the
 * less often the longer that takes. Materialized views know no policies: the API reads the views of
 * the same name in app_public.
 */
select millrace.materialize('app_private.leaderboard_project',
  definition => 'app_private.leaderboard_project_definition',
  key => '{project_id}', strategy => 'refresh',
  debounce => '1 second', max_wait => '5 seconds', max_duty => 0.1);
create index if not exists leaderboard_project_rank_idx
  on app_private.leaderboard_project (rank, project_id);
grant select on app_private.leaderboard_project to app_anonymous, app_account, app_moderator;

select millrace.materialize('app_private.leaderboard_builder',
  definition => 'app_private.leaderboard_builder_definition',
  key => '{account_id}', strategy => 'refresh',
  debounce => '1 second', max_wait => '5 seconds', max_duty => 0.1);
create index if not exists leaderboard_builder_rank_idx
  on app_private.leaderboard_builder (rank, account_id);
grant select on app_private.leaderboard_builder to app_anonymous, app_account, app_moderator;

/*
 * Search, by one index over vectors of words: see app_hidden.search_vector. Without a list of
 * pending entries (fastupdate), which every search would have to read through.
 */
select millrace.materialize('app_hidden.search_index',
  definition => 'app_private.search_index_definition',
  key => '{kind,subject_id}',
  sources => jsonb_build_object(
    'app_public.project', $$select 'project'::app_public.search_kind, id from changed$$,
    'app_public.account', $$
      select 'person'::app_public.search_kind, id from changed
      union all
      select 'investor'::app_public.search_kind, i.id
      from app_public.investor i join changed on i.account_id = changed.id
    $$,
    'app_public.profile', $$select 'person'::app_public.search_kind, account_id from changed$$,
    'app_public.chain', $$
      select 'chain'::app_public.search_kind, id from changed
      union all
      select 'post'::app_public.search_kind, p.id
      from app_public.chain_post p join changed on p.chain_id = changed.id
      where p.parent_id is null
    $$,
    'app_public.chain_post', $$
      select 'post'::app_public.search_kind, id from changed where parent_id is null
    $$,
    'app_public.investor', $$select 'investor'::app_public.search_kind, id from changed$$));
alter table app_hidden.search_index
  alter column title set not null,
  alter column folded_title set not null,
  alter column summary set not null,
  alter column body set not null,
  alter column popularity set not null,
  alter column vector set not null;
create index if not exists search_index_vector_idx
  on app_hidden.search_index using gin (vector) with (fastupdate = off);
alter table app_hidden.search_index enable row level security;
drop policy if exists search_index_select on app_hidden.search_index;
create policy search_index_select on app_hidden.search_index for select
  to app_anonymous, app_account, app_moderator using (true);
grant select on app_hidden.search_index to app_anonymous, app_account, app_moderator;
comment on table app_hidden.search_index is 'What can be searched, one row each.';
