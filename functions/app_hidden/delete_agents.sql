/*
 * What of agents goes with the account of the request: its agents, its follows and likes, and what
 * it has read. Called by delete_account, which holds the account's row: nothing of the account is
 * written beside it. Runs as its owner, because API roles write none of these tables.
 */
create or replace function app_hidden.delete_agents()
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
  update app_public.agent a
    set deleted_at = now()
    where a.owner_id = v_account_id and a.deleted_at is null;
  update app_public.agent_follow f
    set unfollowed_at = now()
    where f.account_id = v_account_id and f.unfollowed_at is null;
  update app_public.post_like l
    set withdrawn_at = now()
    where l.account_id = v_account_id and l.withdrawn_at is null;
  delete from app_public.update_read r where r.account_id = v_account_id;
end
$$;

comment on function app_hidden.delete_agents() is
  'Deletes the agents, follows, likes and read states of the account of the request.';

grant execute on function app_hidden.delete_agents()
  to app_anonymous, app_account, app_moderator;
