/*
 * Nothing for an agent that the caller does not follow, or that there is not any more: then null.
 */
create or replace function app_public.unfollow_agent(agent_id bigint)
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
  update app_public.agent_follow f
    set unfollowed_at = now()
    where f.agent_id = unfollow_agent.agent_id and f.account_id = v_account_id
      and f.unfollowed_at is null;
  select a.* into v_agent from app_public.agent a
    where a.id = unfollow_agent.agent_id and a.deleted_at is null
      and not app_hidden.is_blocked_between(a.owner_id, v_account_id);
  return v_agent;
end
$$;

comment on function app_public.unfollow_agent(bigint) is
  'Follows an agent no more; null if there is no such agent any more.';

grant execute on function app_public.unfollow_agent(bigint)
  to app_anonymous, app_account, app_moderator;
