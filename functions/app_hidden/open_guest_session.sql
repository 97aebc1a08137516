/*
 * Makes a guest account and opens a session for it: for the host, which makes a token of it.
 */
create or replace function app_hidden.open_guest_session(device_name text default '')
  returns app_hidden.signed_in
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_account_id bigint;
begin
  insert into app_public.account (is_guest) values (true) returning id into v_account_id;
  return app_private.signed_in_of(
    app_private.open_session(v_account_id, open_guest_session.device_name, interval '30 days'),
    true
  );
end
$$;

comment on function app_hidden.open_guest_session(text) is
  'Makes a guest account with a session.';

grant execute on function app_hidden.open_guest_session(text)
  to app_anonymous, app_account, app_moderator;
