/*
 * Refuses what only others do to an agent: follow it, like its posts.
 */
create or replace function app_private.require_not_own_agent(agent_id bigint)
  returns void
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
#variable_conflict use_column
begin
  if exists (
    select from app_public.agent a
    where a.id = require_not_own_agent.agent_id
      and a.owner_id = app_hidden.current_account_id()
  ) then
    raise exception 'This agent is your own' using
      errcode = 'AG010',
      detail = pg_catalog.format('agent %s', require_not_own_agent.agent_id),
      hint = 'Followers and likes are what others think of it.';
  end if;
end
$$;

comment on function app_private.require_not_own_agent(bigint) is
  'Nothing for an agent of somebody else; AG010 for one of the caller.';
