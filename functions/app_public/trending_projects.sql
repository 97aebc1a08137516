/* A range of feed_project_trending_score_idx; see app_hidden.trending_score. */
create or replace function app_public.trending_projects()
  returns setof app_public.feed_project
  language sql
  stable
  parallel safe
  security invoker
  rows 100
begin atomic
  select f.* from app_public.feed_project f;
end;

comment on function app_public.trending_projects() is
  E'@behavior +order +backwards -array\n'
  '@listOrder TRENDING_SCORE_DESC,PROJECT_ID_DESC\n'
  'The projects that are talked about, the newer the sooner.';

grant execute on function app_public.trending_projects()
  to app_anonymous, app_account, app_moderator;
