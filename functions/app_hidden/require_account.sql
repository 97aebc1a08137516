/*
 * The caller's account, for every function that writes.
 *
 * Takes a key-share lock on the caller's own account row, the lock that the foreign key of what is
 * written takes anyway: deleting the account (which locks the row for update) waits for calls in
 * flight and then removes what they wrote, and a call that comes during the deletion waits, looks
 * again and is refused. So nothing ever stands in the name of a deleted account. Lock order
 * everywhere: own account, conversation, opinion, vote or history.
 *
 * Runs as its owner, because a row lock needs an update right that visitors do not have.
 */
create or replace function app_hidden.require_account()
  returns bigint
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
declare
  v_account_id constant bigint := app_hidden.current_account_id();
begin
  if v_account_id is null then
    raise exception 'You are not signed in' using
      errcode = 'AC001',
      detail = 'The request carries no account.',
      hint = 'Sign in, or continue as a guest, and send the token with the request.';
  end if;
  perform from app_public.account a
    where a.id = v_account_id and a.deleted_at is null
    for key share;
  if not found then
    raise exception 'This account does not exist any more' using
      errcode = 'AC002',
      detail = pg_catalog.format('account %s', v_account_id),
      hint = 'Sign in again.';
  end if;
  if pg_catalog.current_setting('role') = 'app_moderator' and not app_hidden.is_moderator() then
    raise exception 'This account is no moderator any more' using
      errcode = 'AC003',
      detail = pg_catalog.format('account %s', v_account_id),
      hint = 'Sign in again to go on as an ordinary account.';
  end if;
  return v_account_id;
end
$$;

comment on function app_hidden.require_account() is
  'The account that writes; AC001 to AC003 for a caller who may not write at all.';

grant execute on function app_hidden.require_account() to app_anonymous, app_account, app_moderator;
