/*
 * A new session of an account.
 */
create or replace function app_private.open_session(
  account_id bigint, device_name text, lasts interval
)
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
  insert into app_public.session (account_id, device_name, expires_at)
    values (
      open_session.account_id,
      app_hidden.require_text(open_session.device_name, 'device name', 0, 80, 'AC016'),
      pg_catalog.now() + open_session.lasts
    )
    returning * into v_session;
  return v_session;
end
$$;

comment on function app_private.open_session(bigint, text, interval) is
  'Opens a session; AC016 for a device name over 80 characters.';
