/* By primary key; for visitors without an account nothing is looked up. */
create or replace function app_public.agent_update_viewer_has_read(
  agent_update app_public.agent_update
)
  returns boolean
  language sql
  stable
  parallel safe
  security invoker
return exists (
  select from app_public.update_read r
  where r.account_id = (select app_hidden.current_account_id()) and r.update_id = agent_update.id
);

comment on function app_public.agent_update_viewer_has_read(app_public.agent_update) is
  'Whether the viewer has read the update.';

grant execute on function app_public.agent_update_viewer_has_read(app_public.agent_update)
  to app_anonymous, app_account, app_moderator;
