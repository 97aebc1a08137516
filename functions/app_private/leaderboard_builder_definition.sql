/*
 * Builders, who are accounts with at least one project, by points: upvotes and proof of their
 * projects together. Ranks and their order as for projects.
 */
create or replace view app_private.leaderboard_builder_definition as
select
  a.id as account_id,
  rank() over (order by a.upvote_count + a.proof_score desc) as rank,
  a.upvote_count + a.proof_score as points,
  a.upvote_count,
  a.proof_score,
  a.badge_count,
  a.project_count,
  a.display_name,
  coalesce(p.headline, '') as headline
from app_public.account a
left join app_public.profile p on p.account_id = a.id
where a.deleted_at is null and a.project_count > 0;

comment on view app_private.leaderboard_builder_definition is
  'What app_private.leaderboard_builder holds.';
