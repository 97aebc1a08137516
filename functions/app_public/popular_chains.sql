/* A range of chain_discovery_follower_count_idx. */
create or replace function app_public.popular_chains()
  returns setof app_public.chain_discovery
  language sql
  stable
  parallel safe
  security invoker
  rows 100
begin atomic
  select c.* from app_public.chain_discovery c;
end;

comment on function app_public.popular_chains() is
  E'@behavior +order +backwards -array\n'
  '@listOrder FOLLOWER_COUNT_DESC,CHAIN_ID_DESC\n'
  'All chains, most followers first.';

grant execute on function app_public.popular_chains()
  to app_anonymous, app_account, app_moderator;
