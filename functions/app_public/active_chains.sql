/* A range of chain_discovery_activity_score_idx; see app_hidden.trending_score. */
create or replace function app_public.active_chains()
  returns setof app_public.chain_discovery
  language sql
  stable
  parallel safe
  security invoker
  rows 100
begin atomic
  select c.* from app_public.chain_discovery c;
end;

comment on function app_public.active_chains() is
  E'@behavior +order +backwards -array\n'
  '@listOrder ACTIVITY_SCORE_DESC,CHAIN_ID_DESC\n'
  'The chains in which something happens, the newer the sooner.';

grant execute on function app_public.active_chains()
  to app_anonymous, app_account, app_moderator;
