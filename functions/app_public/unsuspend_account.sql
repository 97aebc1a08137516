/*
 * Withdraws a suspension. Repeating it changes nothing.
 *
 * The update of the account's row makes moderators take turns, then the history says who undid
 * which. Runs as its owner, as suspend_account does.
 */
create or replace function app_public.unsuspend_account(account_id bigint)
  returns app_public.account
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
declare
  v_moderator_id constant bigint := app_hidden.require_moderator();
  v_account app_public.account;
begin
  update app_public.account a
    set suspended_at = null
    where a.id = unsuspend_account.account_id and a.suspended_at is not null
      and a.deleted_at is null
    returning a.* into v_account;
  if found then
    update app_public.account_suspension s
      set withdrawn_at = now(), withdrawn_by_id = v_moderator_id
      where s.account_id = v_account.id and s.withdrawn_at is null;
    return v_account;
  end if;
  select a.* into v_account from app_public.account a
    where a.id = unsuspend_account.account_id and a.deleted_at is null;
  if v_account.id is null then
    raise exception 'There is no such account' using
      errcode = 'AC006',
      detail = pg_catalog.format('account %s', unsuspend_account.account_id),
      hint = 'It may have been deleted.';
  end if;
  return v_account;
end
$$;

comment on function app_public.unsuspend_account(bigint) is
  'Withdraws the suspension of an account. For moderators.';

grant execute on function app_public.unsuspend_account(bigint)
  to app_anonymous, app_account, app_moderator;
