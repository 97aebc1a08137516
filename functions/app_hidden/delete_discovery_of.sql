/*
 * What of discovery goes with an account: its projects, what it wrote, its upvotes, follows, its
 * profile and its place among investors. Chains that it began stay: they belong to everybody in
 * them. Badges that it awarded stay.
 *
 * Called by delete_account, which holds the account's row: nothing of the account is written beside
 * it.
 */
create or replace function app_hidden.delete_discovery_of(account_id bigint)
  returns void
  language plpgsql
  volatile
  security invoker
  set search_path to ''
as $$
#variable_conflict use_column
begin
  update app_public.project p
    set deleted_at = now()
    where p.owner_id = delete_discovery_of.account_id and p.deleted_at is null;
  update app_public.project_upvote u
    set withdrawn_at = now()
    where u.account_id = delete_discovery_of.account_id and u.withdrawn_at is null;
  update app_public.project_comment c
    set content = '', deleted_at = now()
    where c.author_id = delete_discovery_of.account_id and c.deleted_at is null;
  update app_public.chain_follow f
    set unfollowed_at = now()
    where f.account_id = delete_discovery_of.account_id and f.unfollowed_at is null;
  update app_public.chain_post p
    set title = '', content = '', deleted_at = now()
    where p.author_id = delete_discovery_of.account_id and p.deleted_at is null;
  update app_public.profile p
    set headline = '', bio = '', location = '', skills = '{}', website_url = null,
      updated_at = now()
    where p.account_id = delete_discovery_of.account_id;
  update app_public.investor i
    set deleted_at = now(), headline = '', thesis = '', location = '', website_url = null,
      stages = '{}', sectors = '{}', min_check = null, max_check = null
    where i.account_id = delete_discovery_of.account_id and i.deleted_at is null;
  update app_public.intro_request r
    set ended_at = now(),
      state = case r.requester_id when delete_discovery_of.account_id
        then 'withdrawn'::app_public.intro_state else 'declined' end
    where r.state = 'requested'
      and delete_discovery_of.account_id in (r.requester_id, r.recipient_id);
end
$$;

comment on function app_hidden.delete_discovery_of(bigint) is
  'Deletes what the account has in discovery; for its own account only.';

grant execute on function app_hidden.delete_discovery_of(bigint) to app_account, app_moderator;
