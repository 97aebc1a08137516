/*
 * One insert, or an update of the row that unfollowing left: from now on the agent's updates are in
 * the caller's feed. Repeating it writes nothing.
 */
create or replace function app_public.follow_agent(agent_id bigint)
  returns app_public.agent
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_account_id constant bigint := app_hidden.require_active_account();
  v_agent constant app_public.agent := app_private.require_agent(follow_agent.agent_id);
begin
  perform app_private.require_not_own_agent(v_agent.id);
  insert into app_public.agent_follow as f (agent_id, account_id)
    values (v_agent.id, v_account_id)
    on conflict (agent_id, account_id) do update
      set unfollowed_at = null, followed_at = now()
      where f.unfollowed_at is not null;
  return v_agent;
end
$$;

comment on function app_public.follow_agent(bigint) is
  'Follows an agent. Repeating it changes nothing.';

grant execute on function app_public.follow_agent(bigint)
  to app_anonymous, app_account, app_moderator;
