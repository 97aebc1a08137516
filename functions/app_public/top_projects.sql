/* A range of feed_project_upvote_count_idx. */
create or replace function app_public.top_projects()
  returns setof app_public.feed_project
  language sql
  stable
  parallel safe
  security invoker
  rows 100
begin atomic
  select f.* from app_public.feed_project f;
end;

comment on function app_public.top_projects() is
  E'@behavior +order +backwards -array\n'
  '@listOrder UPVOTE_COUNT_DESC,PROJECT_ID_DESC\n'
  'All projects, most upvotes first.';

grant execute on function app_public.top_projects()
  to app_anonymous, app_account, app_moderator;
