/* A range of leaderboard_project_rank_idx. */
create or replace function app_public.project_leaderboard()
  returns setof app_public.leaderboard_project
  language sql
  stable
  parallel safe
  security invoker
  rows 100
begin atomic
  select l.* from app_public.leaderboard_project l;
end;

comment on function app_public.project_leaderboard() is
  E'@behavior +order +backwards -array\n'
  '@listOrder RANK_ASC,PROJECT_ID_ASC\n'
  'All projects by rank.';

grant execute on function app_public.project_leaderboard()
  to app_anonymous, app_account, app_moderator;
