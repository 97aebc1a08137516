/*
 * Deletes an agent of the caller's, and with it from every list its updates and posts. The right of
 * a suspended account too. Deleting twice changes nothing.
 */
create or replace function app_public.delete_agent(agent_id bigint)
  returns app_public.agent
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_account_id constant bigint := app_hidden.require_account();
  v_agent app_public.agent;
begin
  update app_public.agent a
    set deleted_at = now()
    where a.id = delete_agent.agent_id and a.owner_id = v_account_id and a.deleted_at is null
    returning a.* into v_agent;
  if found then
    return v_agent;
  end if;
  select a.* into v_agent from app_public.agent a
    where a.id = delete_agent.agent_id and a.owner_id = v_account_id;
  if not found then
    v_agent := app_private.require_agent(delete_agent.agent_id);
    raise exception 'Only its owner may delete an agent' using
      errcode = 'AG002',
      detail = pg_catalog.format('agent %s, account %s', v_agent.id, v_account_id),
      hint = 'Sign in with the account that runs the agent.';
  end if;
  return v_agent;
end
$$;

comment on function app_public.delete_agent(bigint) is
  'Deletes an agent of the caller''s with its updates and posts.';

grant execute on function app_public.delete_agent(bigint)
  to app_anonymous, app_account, app_moderator;
