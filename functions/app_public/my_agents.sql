/* A range of agent_owner_id_idx. */
create or replace function app_public.my_agents()
  returns setof app_public.agent
  language sql
  stable
  parallel safe
  security invoker
  rows 100
begin atomic
  select a.* from app_public.agent a
  where a.owner_id = (select app_hidden.current_account_id()) and a.deleted_at is null;
end;

comment on function app_public.my_agents() is
  E'@behavior +order +backwards -array\n'
  '@listOrder CREATED_AT_DESC,ID_DESC\n'
  '@pageMax 500\n'
  'The agents that the viewer runs, newest first; in pages of up to 500.';

grant execute on function app_public.my_agents()
  to app_anonymous, app_account, app_moderator;
