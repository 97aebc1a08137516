/* A range of project_upvote_account_id_idx with one look at each project. */
create or replace function app_public.upvoted_projects()
  returns setof app_public.project_upvote
  language sql
  stable
  parallel safe
  security invoker
  rows 100
begin atomic
  select u.* from app_public.project_upvote u
  join app_public.project p on p.id = u.project_id
  where u.account_id = (select app_hidden.current_account_id()) and u.withdrawn_at is null
    and p.deleted_at is null;
end;

comment on function app_public.upvoted_projects() is
  E'@behavior +order +backwards -array\n'
  '@listOrder CREATED_AT_DESC,PROJECT_ID_DESC,ACCOUNT_ID_DESC\n'
  'The upvotes that the viewer has given, last given first.';

grant execute on function app_public.upvoted_projects()
  to app_anonymous, app_account, app_moderator;
