/* The caller's account, for what only validators do. Locks as require_account. */
create or replace function app_hidden.require_validator()
  returns bigint
  language plpgsql
  volatile
  security invoker
  set search_path to ''
as $$
declare
  v_account_id constant bigint := app_hidden.require_active_account();
begin
  if not app_hidden.is_validator() then
    raise exception 'Only validators may do this' using
      errcode = 'DC012',
      detail = pg_catalog.format('account %s', v_account_id),
      hint = 'Ask a validator to look at the project.';
  end if;
  return v_account_id;
end
$$;

comment on function app_hidden.require_validator() is
  'The validator who writes; AC001 to AC005 or DC012 for anybody else.';

grant execute on function app_hidden.require_validator()
  to app_anonymous, app_account, app_moderator;
