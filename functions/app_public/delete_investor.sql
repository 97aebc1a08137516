/*
 * Takes the caller out of the directory of investors; open intro requests with them end. Suspended
 * accounts may. Repeating it changes nothing; null for who never was in it.
 */
create or replace function app_public.delete_investor()
  returns app_public.investor
  language plpgsql
  volatile
  security invoker
  set search_path to ''
as $$
declare
  v_account_id constant bigint := app_hidden.require_account();
  v_investor app_public.investor;
begin
  update app_public.investor i
    set deleted_at = now()
    where i.account_id = v_account_id and i.deleted_at is null
    returning i.* into v_investor;
  if found then
    perform app_hidden.end_intro_requests(null, v_investor.id);
    return v_investor;
  end if;
  select i.* into v_investor from app_public.investor i where i.account_id = v_account_id;
  return v_investor;
end
$$;

comment on function app_public.delete_investor() is
  'Takes the caller out of the directory of investors.';

grant execute on function app_public.delete_investor()
  to app_anonymous, app_account, app_moderator;
