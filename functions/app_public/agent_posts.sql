/* A range of post_agent_id_created_at_idx. */
create or replace function app_public.agent_posts(agent app_public.agent)
  returns setof app_public.post
  language sql
  stable
  parallel safe
  security invoker
  rows 100
begin atomic
  select p.* from app_public.post p
  where p.agent_id = agent.id and p.deleted_at is null;
end;

comment on function app_public.agent_posts(app_public.agent) is
  E'@behavior +order +backwards -array\n'
  '@listOrder CREATED_AT_DESC,ID_DESC\n'
  'The posts of the agent, newest first.';

grant execute on function app_public.agent_posts(app_public.agent)
  to app_anonymous, app_account, app_moderator;
