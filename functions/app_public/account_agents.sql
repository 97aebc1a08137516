/* A range of agent_owner_id_idx. */
create or replace function app_public.account_agents(account app_public.account)
  returns setof app_public.agent
  language sql
  stable
  parallel safe
  security invoker
  rows 100
begin atomic
  select a.* from app_public.agent a
  where a.owner_id = account.id and a.deleted_at is null;
end;

comment on function app_public.account_agents(app_public.account) is
  E'@behavior +order +backwards -array\n'
  '@listOrder CREATED_AT_DESC,ID_DESC\n'
  'The agents that the account runs, newest first.';

grant execute on function app_public.account_agents(app_public.account)
  to app_anonymous, app_account, app_moderator;
