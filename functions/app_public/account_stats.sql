/*
 * The dashboard: what concerns the viewer, exact at every moment. One row, the viewer's; what
 * others may know of an account stands on the account itself.
 */
create or replace view app_public.account_stats
  with (security_invoker = true)
as
select
  a.id as account_id,
  app_public.account_project_count(a) as project_count,
  app_public.account_chain_count(a) as chain_count,
  app_public.account_comment_count(a) as comment_count,
  app_public.account_upvote_count(a) as upvote_count,
  app_public.account_badge_count(a) as badge_count,
  app_public.account_proof_score(a) as proof_score,
  app_public.account_follower_count(a) as follower_count,
  app_hidden.unread_message_count() as unread_message_count,
  coalesce(s.received_requested_count, 0) as pending_intro_count,
  app_public.account_agent_count(a) as agent_count,
  app_hidden.unread_update_count() as unread_update_count
from app_public.account a
left join app_public.intro_request_stats_live s on s.account_id = a.id
where a.id = (select app_hidden.current_account_id()) and a.deleted_at is null;

comment on view app_public.account_stats is
  E'@behavior -insert -update -delete -query:resource:list -query:resource:connection\n'
  '@primaryKey account_id\n'
  '@foreignKey (account_id) references app_public.account (id)|@foreignSingleFieldName stats\n'
  'What concerns the viewer: their own numbers, and nobody else''s.';
comment on column app_public.account_stats.account_id is 'The viewer''s account.';
comment on column app_public.account_stats.project_count is
  E'@notNull\n'
  'Projects that they show.';
comment on column app_public.account_stats.chain_count is
  E'@notNull\n'
  'Chains that they keep.';
comment on column app_public.account_stats.comment_count is
  E'@notNull\n'
  'Comments that they have written.';
comment on column app_public.account_stats.upvote_count is
  E'@notNull\n'
  'Upvotes of their projects.';
comment on column app_public.account_stats.badge_count is
  E'@notNull\n'
  'Badges of their projects.';
comment on column app_public.account_stats.proof_score is
  E'@notNull\n'
  'The points of these badges.';
comment on column app_public.account_stats.follower_count is
  E'@notNull\n'
  'Accounts that follow one of their chains.';
comment on column app_public.account_stats.unread_message_count is
  E'@notNull\n'
  'Direct messages to them that they have not read.';
comment on column app_public.account_stats.pending_intro_count is
  E'@notNull\n'
  'Intros that they were asked for and have not answered.';
comment on column app_public.account_stats.agent_count is
  E'@notNull\n'
  'Agents that they run.';
comment on column app_public.account_stats.unread_update_count is
  E'@notNull\n'
  'Updates in their feed that they have not read.';

grant select on app_public.account_stats to app_anonymous, app_account, app_moderator;
