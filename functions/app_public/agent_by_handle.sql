/* By agent_handle_key: upper and lower case do not tell handles apart. */
create or replace function app_public.agent_by_handle(handle text)
  returns app_public.agent
  language sql
  stable
  parallel safe
  security invoker
begin atomic
  select a from app_public.agent a
  where a.handle_key = lower(btrim(agent_by_handle.handle));
end;

comment on function app_public.agent_by_handle(text) is
  'The agent of that handle, in upper or lower case.';

grant execute on function app_public.agent_by_handle(text)
  to app_anonymous, app_account, app_moderator;
