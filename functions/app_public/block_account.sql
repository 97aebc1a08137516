/*
 * Blocks an account: neither of the two can write to the other any more, in direct messages, intro
 * requests or comments on what is the other's. Neither sees the other's agents, comments and posts
 * any more, but for who keeps the place, and follows between them end. A suspended account may
 * block too: it protects nobody but its caller.
 *
 * One insert and no lock beyond the foreign keys'. Repeating it changes nothing.
 */
create or replace function app_public.block_account(account_id bigint)
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
  if block_account.account_id = v_account_id then
    raise exception 'You cannot block yourself' using
      errcode = 'AC007',
      detail = pg_catalog.format('account %s', v_account_id),
      hint = 'Name the account that you want to hear no more of.';
  end if;
  select a.* into v_account from app_public.account a
    where a.id = block_account.account_id and a.deleted_at is null;
  if v_account.id is null then
    raise exception 'There is no such account' using
      errcode = 'AC006',
      detail = pg_catalog.format('account %s', block_account.account_id),
      hint = 'It may have been deleted.';
  end if;
  insert into app_public.block (blocker_id, blocked_id)
    values (v_account_id, v_account.id)
    on conflict (blocker_id, blocked_id) do nothing;
  perform app_hidden.unfollow_between(v_account.id);
  return v_account;
end
$$;

comment on function app_public.block_account(bigint) is
  'Blocks an account: it and the caller cannot write to each other. Repeating it changes nothing.';

grant execute on function app_public.block_account(bigint)
  to app_anonymous, app_account, app_moderator;
