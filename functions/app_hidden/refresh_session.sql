/*
 * Extends the session of the request: it lasts 30 days from now. The token says until when, so the
 * host makes a new one. This is also when the device was last seen: an ordinary request writes
 * nothing.
 */
create or replace function app_hidden.refresh_session()
  returns app_hidden.signed_in
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_account_id constant bigint := app_hidden.require_account();
  v_session app_public.session;
begin
  update app_public.session s
    set expires_at = pg_catalog.now() + interval '30 days', last_seen_at = pg_catalog.now()
    where s.id = app_hidden.current_session_id() and s.account_id = v_account_id
      and s.ended_at is null
    returning s.* into v_session;
  if not found then
    raise exception 'This request is in no session' using
      errcode = 'AC015',
      detail = pg_catalog.format('account %s', v_account_id),
      hint = 'Only a token that came from signing in can be extended.';
  end if;
  return app_private.signed_in_of(v_session, false);
end
$$;

comment on function app_hidden.refresh_session() is
  'Extends the session of the request; AC015 for a request in none.';

grant execute on function app_hidden.refresh_session()
  to app_anonymous, app_account, app_moderator;
