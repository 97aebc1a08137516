/* By primary key; for visitors without an account nothing is looked up. */
create or replace function app_public.account_viewer_has_blocked(account app_public.account)
  returns boolean
  language sql
  stable
  parallel safe
  security invoker
return exists (
  select from app_public.block k
  where k.blocker_id = (select app_hidden.current_account_id()) and k.blocked_id = account.id
);

comment on function app_public.account_viewer_has_blocked(app_public.account) is
  'Whether the viewer blocks the account.';

grant execute on function app_public.account_viewer_has_blocked(app_public.account)
  to app_anonymous, app_account, app_moderator;
