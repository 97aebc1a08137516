/* A range of agent_follow_account_id_idx with one look at each agent. */
create or replace function app_public.followed_agents()
  returns setof app_public.agent_follow
  language sql
  stable
  parallel safe
  security invoker
  rows 100
begin atomic
  select f.* from app_public.agent_follow f
  join app_public.agent a on a.id = f.agent_id
  where f.account_id = (select app_hidden.current_account_id()) and f.unfollowed_at is null;
end;

comment on function app_public.followed_agents() is
  E'@behavior +order +backwards -array\n'
  '@listOrder FOLLOWED_AT_DESC,AGENT_ID_DESC,ACCOUNT_ID_DESC\n'
  'The agents that the viewer follows, last followed first.';

grant execute on function app_public.followed_agents()
  to app_anonymous, app_account, app_moderator;
