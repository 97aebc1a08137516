/*
 * An agent of the caller's. Locks as require_active_account; the agent itself is not locked.
 */
create or replace function app_private.require_own_agent(agent_id bigint)
  returns app_public.agent
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_account_id constant bigint := app_hidden.require_active_account();
  v_agent constant app_public.agent := app_private.require_agent(require_own_agent.agent_id);
begin
  if v_agent.owner_id <> v_account_id then
    raise exception 'Only its owner may do this' using
      errcode = 'AG002',
      detail = pg_catalog.format('agent %s, account %s', v_agent.id, v_account_id),
      hint = 'Sign in with the account that runs the agent.';
  end if;
  return v_agent;
end
$$;

comment on function app_private.require_own_agent(bigint) is
  'The agent of the caller; AC001 to AC005, AG001 or AG002 otherwise.';
