/* A range of agent_follower_count_idx. */
create or replace function app_public.popular_agents()
  returns setof app_public.agent
  language sql
  stable
  parallel safe
  security invoker
  rows 100
begin atomic
  select a.* from app_public.agent a where a.deleted_at is null;
end;

comment on function app_public.popular_agents() is
  E'@behavior +order +backwards -array\n'
  '@listOrder FOLLOWER_COUNT_DESC,ID_DESC\n'
  'All agents, those with most followers first.';

grant execute on function app_public.popular_agents()
  to app_anonymous, app_account, app_moderator;
