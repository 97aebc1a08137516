/*
 * Ends the follows between the account of the request and another, in both directions: what
 * block_account does with them. Taking the block back does not bring them back. Runs as its owner,
 * because API roles write no follows.
 */
create or replace function app_hidden.unfollow_between(other_id bigint)
  returns void
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_account_id constant bigint := app_hidden.current_account_id();
begin
  update app_public.agent_follow f
    set unfollowed_at = now()
    from app_public.agent a
    where a.id = f.agent_id and f.unfollowed_at is null
      and (a.owner_id, f.account_id) in (
        (v_account_id, unfollow_between.other_id), (unfollow_between.other_id, v_account_id)
      );
end
$$;

comment on function app_hidden.unfollow_between(bigint) is
  'Ends the follows between the account of the request and another, both ways.';

grant execute on function app_hidden.unfollow_between(bigint)
  to app_anonymous, app_account, app_moderator;
