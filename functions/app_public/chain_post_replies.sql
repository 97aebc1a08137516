/* A range of chain_post_parent_id_idx: what is written while one pages comes at the end. */
create or replace function app_public.chain_post_replies(chain_post app_public.chain_post)
  returns setof app_public.chain_post
  language sql
  stable
  parallel safe
  security invoker
  rows 100
begin atomic
  select p.* from app_public.chain_post p
  where p.parent_id = chain_post.id and p.deleted_at is null;
end;

comment on function app_public.chain_post_replies(app_public.chain_post) is
  E'@behavior +order +backwards -array\n'
  '@listOrder CREATED_AT_ASC,ID_ASC\n'
  'The replies to the post, oldest first.';

grant execute on function app_public.chain_post_replies(app_public.chain_post)
  to app_anonymous, app_account, app_moderator;
