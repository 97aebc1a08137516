/*
 * The feeds of projects, without a join for the reader. db/derived/discovery.sql keeps it.
 *
 * A comment says more than an upvote and counts as two of them, ten points of proof as one.
 */
create or replace view app_private.feed_project_definition as
select
  p.id as project_id,
  p.owner_id,
  a.display_name as owner_name,
  p.title,
  p.tagline,
  p.tags,
  p.created_at,
  p.upvote_count,
  p.comment_count,
  p.badge_count,
  p.proof_score,
  app_hidden.trending_score(
    p.created_at, p.upvote_count + 2 * p.comment_count + p.proof_score / 10) as trending_score
from app_public.project p
join app_public.account a on a.id = p.owner_id
where p.deleted_at is null;

comment on view app_private.feed_project_definition is 'What app_public.feed_project holds.';
comment on column app_private.feed_project_definition.trending_score is
  'The logarithm of its upvotes, comments and proof, plus the days of its publication: see '
  'trendingProjects.';
comment on column app_private.feed_project_definition.owner_name is
  'The name of the account that shows it.';
