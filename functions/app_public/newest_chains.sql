/* A range of chain_discovery_created_at_idx. */
create or replace function app_public.newest_chains()
  returns setof app_public.chain_discovery
  language sql
  stable
  parallel safe
  security invoker
  rows 100
begin atomic
  select c.* from app_public.chain_discovery c;
end;

comment on function app_public.newest_chains() is
  E'@behavior +order +backwards -array\n'
  '@listOrder CREATED_AT_DESC,CHAIN_ID_DESC\n'
  'All chains, newest first.';

grant execute on function app_public.newest_chains()
  to app_anonymous, app_account, app_moderator;
