/*
 * Ends a session of the caller's: the given one, or that of the request. At once, in every host:
 * the next request is refused by app_hidden.enter_session, and open web sockets are closed when the
 * engine announces it (app_private.live_session). Ending one that has ended changes nothing.
 */
create or replace function app_public.sign_out(session_id bigint default null)
  returns app_public.session
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_account_id constant bigint := app_hidden.require_account();
  v_session_id constant bigint :=
    coalesce(sign_out.session_id, app_hidden.current_session_id());
  v_session app_public.session;
begin
  if v_session_id is null then
    raise exception 'This request is in no session' using
      errcode = 'AC015',
      detail = pg_catalog.format('account %s', v_account_id),
      hint = 'Name the session to end, or throw the token away.';
  end if;
  update app_public.session s
    set ended_at = pg_catalog.now()
    where s.id = v_session_id and s.account_id = v_account_id and s.ended_at is null
    returning s.* into v_session;
  if not found then
    v_session := app_private.require_session(v_session_id, v_account_id);
  end if;
  return v_session;
end
$$;

comment on function app_public.sign_out(bigint) is
  'Signs a device out; this one if no session is given.';

grant execute on function app_public.sign_out(bigint)
  to app_anonymous, app_account, app_moderator;
