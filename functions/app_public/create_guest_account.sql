/*
 * Makes an account for a visitor who wants to take part without signing in. The row gives no right
 * by itself: the host makes a token for it. A caller who has an account gets that one, so a
 * repeated call makes no second.
 */
create or replace function app_public.create_guest_account(display_name text default null)
  returns app_public.account
  language plpgsql
  volatile
  security invoker
  set search_path to ''
as $$
declare
  v_account app_public.account;
  v_name constant text := case when create_guest_account.display_name is not null
    then app_hidden.require_text(create_guest_account.display_name, 'name', 1, 80, 'AC004') end;
begin
  if app_hidden.current_account_id() is not null then
    select a.* into v_account from app_public.account a where a.id = app_hidden.require_account();
    return v_account;
  end if;
  insert into app_public.account (display_name, is_guest)
    values (v_name, true)
    returning * into v_account;
  return v_account;
end
$$;

comment on function app_public.create_guest_account(text) is
  'Makes an account for a visitor; returns the caller''s own if there is one.';

grant execute on function app_public.create_guest_account(text)
  to app_anonymous, app_account, app_moderator;
