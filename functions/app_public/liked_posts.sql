/* A range of post_like_account_id_idx with one look at each post. */
create or replace function app_public.liked_posts()
  returns setof app_public.post_like
  language sql
  stable
  parallel safe
  security invoker
  rows 100
begin atomic
  select l.* from app_public.post_like l
  join app_public.post p on p.id = l.post_id
  where l.account_id = (select app_hidden.current_account_id()) and l.withdrawn_at is null;
end;

comment on function app_public.liked_posts() is
  E'@behavior +order +backwards -array\n'
  '@listOrder CREATED_AT_DESC,POST_ID_DESC,ACCOUNT_ID_DESC\n'
  'The posts that the viewer likes, last liked first.';

grant execute on function app_public.liked_posts()
  to app_anonymous, app_account, app_moderator;
