/* A range of agent_update_agent_id_published_at_idx. */
create or replace function app_public.agent_updates(agent app_public.agent)
  returns setof app_public.agent_update
  language sql
  stable
  parallel safe
  security invoker
  rows 100
begin atomic
  select u.* from app_public.agent_update u
  where u.agent_id = agent.id and u.deleted_at is null;
end;

comment on function app_public.agent_updates(app_public.agent) is
  E'@behavior +order +backwards -array\n'
  '@listOrder PUBLISHED_AT_DESC,ID_DESC\n'
  'The updates of the agent, newest first.';

grant execute on function app_public.agent_updates(app_public.agent)
  to app_anonymous, app_account, app_moderator;
