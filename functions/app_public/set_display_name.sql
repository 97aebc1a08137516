/* Writes nothing if the name stays the same. */
create or replace function app_public.set_display_name(display_name text)
  returns app_public.account
  language plpgsql
  volatile
  security invoker
  set search_path to ''
as $$
declare
  v_account_id constant bigint := app_hidden.require_active_account();
  v_name constant text :=
    app_hidden.require_text(set_display_name.display_name, 'name', 1, 80, 'AC004');
  v_account app_public.account;
begin
  update app_public.account a
    set display_name = v_name
    where a.id = v_account_id and a.display_name is distinct from v_name;
  select a.* into v_account from app_public.account a where a.id = v_account_id;
  return v_account;
end
$$;

comment on function app_public.set_display_name(text) is
  'Changes the name that others see of the caller.';

grant execute on function app_public.set_display_name(text)
  to app_anonymous, app_account, app_moderator;
