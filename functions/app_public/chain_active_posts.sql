/* A range of chain_post_feed_chain_id_active_idx. */
create or replace function app_public.chain_active_posts(chain app_public.chain)
  returns setof app_public.chain_post_feed
  language sql
  stable
  parallel safe
  security invoker
  rows 100
begin atomic
  select f.* from app_public.chain_post_feed f where f.chain_id = chain.id;
end;

comment on function app_public.chain_active_posts(app_public.chain) is
  E'@behavior +order +backwards -array\n'
  '@listOrder LAST_ACTIVE_AT_DESC,POST_ID_DESC\n'
  'The posts of the chain, the one last replied to first.';

grant execute on function app_public.chain_active_posts(app_public.chain)
  to app_anonymous, app_account, app_moderator;
