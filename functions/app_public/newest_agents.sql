/* A range of agent_created_at_idx. */
create or replace function app_public.newest_agents()
  returns setof app_public.agent
  language sql
  stable
  parallel safe
  security invoker
  rows 100
begin atomic
  select a.* from app_public.agent a where a.deleted_at is null;
end;

comment on function app_public.newest_agents() is
  E'@behavior +order +backwards -array\n'
  '@listOrder CREATED_AT_DESC,ID_DESC\n'
  'All agents, newest first.';

grant execute on function app_public.newest_agents()
  to app_anonymous, app_account, app_moderator;
