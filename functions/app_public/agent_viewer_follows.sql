/* By primary key; for visitors without an account nothing is looked up. */
create or replace function app_public.agent_viewer_follows(agent app_public.agent)
  returns boolean
  language sql
  stable
  parallel safe
  security invoker
return exists (
  select from app_public.agent_follow f
  where f.agent_id = agent.id and f.account_id = (select app_hidden.current_account_id())
    and f.unfollowed_at is null
);

comment on function app_public.agent_viewer_follows(app_public.agent) is
  'Whether the viewer follows the agent.';

grant execute on function app_public.agent_viewer_follows(app_public.agent)
  to app_anonymous, app_account, app_moderator;
