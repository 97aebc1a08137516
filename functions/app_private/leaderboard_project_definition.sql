/*
 * Projects by points, which are upvotes and proof together. Equal points share a rank, and the next
 * rank counts them: 1, 2, 2, 4. Within a rank the order is that of the ids, the older one first.
 */
create or replace view app_private.leaderboard_project_definition as
select
  p.id as project_id,
  rank() over (order by p.upvote_count + p.proof_score desc) as rank,
  p.upvote_count + p.proof_score as points,
  p.upvote_count,
  p.proof_score,
  p.badge_count,
  p.title,
  p.tagline,
  p.owner_id,
  a.display_name as owner_name
from app_public.project p
join app_public.account a on a.id = p.owner_id
where p.deleted_at is null;

comment on view app_private.leaderboard_project_definition is
  'What app_private.leaderboard_project holds.';
