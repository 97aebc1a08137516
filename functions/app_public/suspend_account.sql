/*
 * A moderator's decision that an account writes nothing until the suspension is withdrawn.
 *
 * The update of the account's row makes moderators take turns; what the account is just writing
 * beside it (under a key share) goes on and counts as written before. Then the history. Moderators
 * are no one's to suspend here: whoever operates the site takes their role away first. Repeating it
 * changes nothing and keeps the first reason.
 *
 * Runs as its owner, because no API role has a right to write suspended_at.
 */
create or replace function app_public.suspend_account(account_id bigint, reason text default '')
  returns app_public.account
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
declare
  v_moderator_id constant bigint := app_hidden.require_moderator();
  v_reason constant text :=
    app_hidden.require_text(suspend_account.reason, 'reason', 0, 2000, 'AC009');
  v_account app_public.account;
begin
  if exists (
    select from app_private.account_role r
    where r.account_id = suspend_account.account_id and r.role = 'moderator'
  ) then
    raise exception 'A moderator cannot be suspended' using
      errcode = 'AC008',
      detail = pg_catalog.format('account %s', suspend_account.account_id),
      hint = 'The role has to be taken from the account first, by an operator.';
  end if;
  update app_public.account a
    set suspended_at = now()
    where a.id = suspend_account.account_id and a.suspended_at is null and a.deleted_at is null
    returning a.* into v_account;
  if found then
    insert into app_public.account_suspension (account_id, moderator_id, reason)
      values (v_account.id, v_moderator_id, v_reason);
    return v_account;
  end if;
  select a.* into v_account from app_public.account a
    where a.id = suspend_account.account_id and a.deleted_at is null;
  if v_account.id is null then
    raise exception 'There is no such account' using
      errcode = 'AC006',
      detail = pg_catalog.format('account %s', suspend_account.account_id),
      hint = 'It may have been deleted.';
  end if;
  return v_account;
end
$$;

comment on function app_public.suspend_account(bigint, text) is
  'Suspends an account: it can read, but write nothing. For moderators.';

grant execute on function app_public.suspend_account(bigint, text)
  to app_anonymous, app_account, app_moderator;
