/*
 * A session of the account, ended or not.
 */
create or replace function app_private.require_session(session_id bigint, account_id bigint)
  returns app_public.session
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_session app_public.session;
begin
  select s.* into v_session from app_public.session s
    where s.id = require_session.session_id and s.account_id = require_session.account_id;
  if not found then
    raise exception 'There is no such session' using
      errcode = 'AC014',
      detail = pg_catalog.format('session %s', require_session.session_id),
      hint = 'Reload the list of your devices.';
  end if;
  return v_session;
end
$$;

comment on function app_private.require_session(bigint, bigint) is
  'The session; AC014 if it is none of the account.';
