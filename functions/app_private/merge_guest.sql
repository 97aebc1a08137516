/*
 * Makes everything of a guest an account's, and deletes the guest. Called by sign_in, which holds
 * the guest's row for update: it has waited for the guest's calls in flight, and refuses later
 * ones. The account's row is locked likewise, after the guest's: what the account just does itself,
 * or takes over from another guest, is there to be compared with, and comes after otherwise.
 *
 * Where both have voted on the same opinion, or upvoted, followed, liked the same thing, there is
 * one row for the account: its own if it stands, the guest's if only that stands. Nothing else of
 * the guest is lost: conversations of two that both have stay two, the guest's as a group. What
 * nobody does to what is their own is taken back: upvotes, likes and follows between the two. An
 * investor stays with the deleted guest where the account is one itself. Counters are exact at
 * every moment, as they are whatever changes rows: they count rows.
 */
create or replace function app_private.merge_guest(guest_id bigint, account_id bigint)
  returns void
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_guest constant bigint := merge_guest.guest_id;
  v_account constant bigint := merge_guest.account_id;
begin
  if v_guest = v_account then
    return;
  end if;
  perform from app_public.account a where a.id = v_account for update;
  perform app_private.merge_guest_votes(v_guest, v_account);
  perform app_private.merge_guest_discovery(v_guest, v_account);
  perform app_private.merge_guest_agents(v_guest, v_account);
  perform app_private.merge_guest_messages(v_guest, v_account);

  insert into app_public.block (blocker_id, blocked_id, created_at)
    select case b.blocker_id when v_guest then v_account else b.blocker_id end,
      case b.blocked_id when v_guest then v_account else b.blocked_id end, b.created_at
    from app_public.block b
    where (b.blocker_id = v_guest and b.blocked_id <> v_account)
      or (b.blocked_id = v_guest and b.blocker_id <> v_account)
    on conflict (blocker_id, blocked_id) do nothing;
  delete from app_public.block b where b.blocker_id = v_guest or b.blocked_id = v_guest;
  update app_public.account_suspension s set account_id = v_account where s.account_id = v_guest;
  -- An undecided report of the same thing by both: the account's own is enough.
  delete from app_public.report r using app_public.report o
    where r.reporter_id = v_guest and o.reporter_id = v_account and o.subject = r.subject
      and o.subject_id = r.subject_id and r.state in ('open', 'reviewing')
      and o.state in ('open', 'reviewing');
  update app_public.report r set reporter_id = v_account where r.reporter_id = v_guest;
  update app_public.report r set account_id = v_account where r.account_id = v_guest;
  update app_public.report r set subject_id = v_account
    where r.subject = 'account' and r.account_id = v_account and r.subject_id = v_guest
      and r.state not in ('open', 'reviewing');
  update app_public.session s set ended_at = pg_catalog.now()
    where s.account_id = v_guest and s.ended_at is null;
  update app_public.account a
    set display_name = (select g.display_name from app_public.account g where g.id = v_guest)
    where a.id = v_account and a.display_name is null;
  update app_public.account a set display_name = null, deleted_at = pg_catalog.now()
    where a.id = v_guest;
  insert into app_private.account_merge (guest_id, account_id) values (v_guest, v_account);
end
$$;

comment on function app_private.merge_guest(bigint, bigint) is
  'Makes everything of a guest the accounts, and deletes the guest.';
