/* By primary key; for visitors without an account nothing is looked up. */
create or replace function app_public.post_viewer_likes(post app_public.post)
  returns boolean
  language sql
  stable
  parallel safe
  security invoker
return exists (
  select from app_public.post_like l
  where l.post_id = post.id and l.account_id = (select app_hidden.current_account_id())
    and l.withdrawn_at is null
);

comment on function app_public.post_viewer_likes(app_public.post) is
  'Whether the viewer likes the post.';

grant execute on function app_public.post_viewer_likes(app_public.post)
  to app_anonymous, app_account, app_moderator;
