/*
 * Discovery's part of merge_guest. The client's names of requests go: they are unique for each
 * account, and both may have used one.
 */
create or replace function app_private.merge_guest_discovery(guest_id bigint, account_id bigint)
  returns void
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_guest constant bigint := merge_guest_discovery.guest_id;
  v_account constant bigint := merge_guest_discovery.account_id;
begin
  update app_public.project_upvote t
    set withdrawn_at = null, created_at = g.created_at
    from app_public.project_upvote g
    where g.account_id = v_guest and g.withdrawn_at is null
      and t.account_id = v_account and t.project_id = g.project_id and t.withdrawn_at is not null;
  delete from app_public.project_upvote g using app_public.project_upvote t
    where g.account_id = v_guest and t.account_id = v_account and t.project_id = g.project_id;
  update app_public.project_upvote t set account_id = v_account where t.account_id = v_guest;
  update app_public.chain_follow t
    set unfollowed_at = null, followed_at = g.followed_at
    from app_public.chain_follow g
    where g.account_id = v_guest and g.unfollowed_at is null
      and t.account_id = v_account and t.chain_id = g.chain_id and t.unfollowed_at is not null;
  delete from app_public.chain_follow g using app_public.chain_follow t
    where g.account_id = v_guest and t.account_id = v_account and t.chain_id = g.chain_id;
  update app_public.chain_follow t set account_id = v_account where t.account_id = v_guest;
  update app_public.project p set owner_id = v_account, request_id = null
    where p.owner_id = v_guest;
  update app_public.project_upvote u set withdrawn_at = pg_catalog.now()
    from app_public.project p
    where p.id = u.project_id and p.owner_id = v_account and u.account_id = v_account
      and u.withdrawn_at is null;
  update app_public.project_comment c set author_id = v_account, request_id = null
    where c.author_id = v_guest;
  update app_public.badge b set validator_id = v_account where b.validator_id = v_guest;
  update app_public.badge b set revoked_by_id = v_account where b.revoked_by_id = v_guest;
  update app_public.chain c set owner_id = v_account, request_id = null
    where c.owner_id = v_guest;
  update app_public.chain_project c set added_by_id = v_account where c.added_by_id = v_guest;
  update app_public.chain_post p set author_id = v_account, request_id = null
    where p.author_id = v_guest;
  -- An intro between the two, who turn out to be one, is none.
  delete from app_public.intro_request r
    where (r.requester_id, r.recipient_id) in ((v_guest, v_account), (v_account, v_guest));
  update app_public.intro_request r set requester_id = v_account where r.requester_id = v_guest;
  update app_public.intro_request r set recipient_id = v_account where r.recipient_id = v_guest;
  if exists (select from app_public.investor i where i.account_id = v_account) then
    update app_public.investor i set deleted_at = pg_catalog.now()
      where i.account_id = v_guest and i.deleted_at is null;
  else
    update app_public.investor i set account_id = v_account where i.account_id = v_guest;
  end if;
  if exists (select from app_public.profile p where p.account_id = v_account) then
    delete from app_public.profile p where p.account_id = v_guest;
  else
    update app_public.profile p set account_id = v_account where p.account_id = v_guest;
  end if;
end
$$;

comment on function app_private.merge_guest_discovery(bigint, bigint) is
  'Makes what a guest has in discovery the accounts.';
