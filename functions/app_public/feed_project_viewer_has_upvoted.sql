/* By primary key; for visitors without an account nothing is looked up. */
create or replace function app_public.feed_project_viewer_has_upvoted(
  feed_project app_public.feed_project
)
  returns boolean
  language sql
  stable
  parallel safe
  security invoker
return exists (
  select from app_public.project_upvote u
  where u.project_id = feed_project.project_id
    and u.account_id = (select app_hidden.current_account_id()) and u.withdrawn_at is null
);

comment on function app_public.feed_project_viewer_has_upvoted(app_public.feed_project) is
  'Whether the viewer upvotes the project.';

grant execute on function app_public.feed_project_viewer_has_upvoted(app_public.feed_project)
  to app_anonymous, app_account, app_moderator;
