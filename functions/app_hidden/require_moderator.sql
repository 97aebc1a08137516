/* The caller's account, for what only moderators do. Locks as require_account. */
create or replace function app_hidden.require_moderator()
  returns bigint
  language plpgsql
  volatile
  security invoker
  set search_path to ''
as $$
declare
  v_account_id constant bigint := app_hidden.require_active_account();
begin
  if not app_hidden.is_moderator() then
    raise exception 'Only moderators may do this' using
      errcode = 'DL007',
      detail = pg_catalog.format('account %s', v_account_id),
      hint = 'Ask a moderator; a moderator needs a token for the role app_moderator.';
  end if;
  return v_account_id;
end
$$;

comment on function app_hidden.require_moderator() is
  'The moderator who writes; AC001 to AC005 or DL007 for anybody else.';

grant execute on function app_hidden.require_moderator()
  to app_anonymous, app_account, app_moderator;
