/*
 * Gives a device of the caller's another name. Writes nothing if it stays the same.
 */
create or replace function app_public.rename_session(session_id bigint, device_name text)
  returns app_public.session
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_account_id constant bigint := app_hidden.require_account();
  v_name constant text :=
    app_hidden.require_text(rename_session.device_name, 'device name', 0, 80, 'AC016');
  v_session app_public.session :=
    app_private.require_session(rename_session.session_id, v_account_id);
begin
  if v_session.device_name = v_name then
    return v_session;
  end if;
  update app_public.session s set device_name = v_name
    where s.id = v_session.id
    returning s.* into v_session;
  return v_session;
end
$$;

comment on function app_public.rename_session(bigint, text) is
  'Gives a device of the caller''s another name.';

grant execute on function app_public.rename_session(bigint, text)
  to app_anonymous, app_account, app_moderator;
