/*
 * The caller's account, for everything that a suspended account may not do.
 *
 * Locks as require_account, by the same look-up of the account's row, which also says whether it is
 * suspended: one statement for an ordinary account, so that a vote costs what it cost before there
 * were suspensions. A refusal, and the roles that need a second look, are require_account's.
 */
create or replace function app_hidden.require_active_account()
  returns bigint
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
declare
  v_account_id constant bigint := app_hidden.current_account_id();
  v_suspended_at timestamptz;
begin
  select a.suspended_at into v_suspended_at from app_public.account a
    where a.id = v_account_id and a.deleted_at is null
    for key share;
  if not found then
    perform app_hidden.require_account();
  end if;
  if v_suspended_at is not null then
    raise exception 'This account is suspended' using
      errcode = 'AC005',
      detail = pg_catalog.format('account %s, since %s', v_account_id, v_suspended_at),
      hint = 'It can read, and take back what it wrote. Ask a moderator about the suspension.';
  end if;
  if pg_catalog.current_setting('role') = 'app_moderator' then
    perform app_hidden.require_account();
  end if;
  return v_account_id;
end
$$;

comment on function app_hidden.require_active_account() is
  'The account that writes; AC001 to AC003 or AC005 for a caller who may not write.';

grant execute on function app_hidden.require_active_account()
  to app_anonymous, app_account, app_moderator;
