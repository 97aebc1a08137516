/*
 * Takes the caller's block of an account back. If the other blocks the caller too, that stays.
 * Unblocking an account that is not blocked changes nothing.
 */
create or replace function app_public.unblock_account(account_id bigint)
  returns app_public.account
  language plpgsql
  volatile
  security invoker
  set search_path to ''
as $$
declare
  v_account_id constant bigint := app_hidden.require_account();
  v_account app_public.account;
begin
  delete from app_public.block k
    where k.blocker_id = v_account_id and k.blocked_id = unblock_account.account_id;
  select a.* into v_account from app_public.account a
    where a.id = unblock_account.account_id and a.deleted_at is null;
  return v_account;
end
$$;

comment on function app_public.unblock_account(bigint) is
  'Takes the caller''s block of an account back; null if there is no such account any more.';

grant execute on function app_public.unblock_account(bigint)
  to app_anonymous, app_account, app_moderator;
