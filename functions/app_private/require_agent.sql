/*
 * An agent that the account of the request may deal with. Between accounts of which one blocks the
 * other there is no such agent: whoever is blocked is not told so. Locks nothing: what passes while
 * a deletion or a block is about to commit counts as done before it.
 */
create or replace function app_private.require_agent(agent_id bigint)
  returns app_public.agent
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_agent app_public.agent;
begin
  select a.* into v_agent from app_public.agent a
    where a.id = require_agent.agent_id and a.deleted_at is null
      and not app_hidden.is_blocked_between(a.owner_id, app_hidden.current_account_id());
  if not found then
    raise exception 'There is no such agent' using
      errcode = 'AG001',
      detail = pg_catalog.format('agent %s', require_agent.agent_id),
      hint = 'It may have been deleted: reload the list.';
  end if;
  return v_agent;
end
$$;

comment on function app_private.require_agent(bigint) is
  'The agent; AG001 where there is none that the caller may deal with.';
