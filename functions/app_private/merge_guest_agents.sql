/*
 * The part of merge_guest that concerns agents.
 */
create or replace function app_private.merge_guest_agents(guest_id bigint, account_id bigint)
  returns void
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_guest constant bigint := merge_guest_agents.guest_id;
  v_account constant bigint := merge_guest_agents.account_id;
begin
  update app_public.agent a set owner_id = v_account, request_id = null
    where a.owner_id = v_guest;
  update app_public.agent_follow t
    set unfollowed_at = null, followed_at = g.followed_at
    from app_public.agent_follow g
    where g.account_id = v_guest and g.unfollowed_at is null
      and t.account_id = v_account and t.agent_id = g.agent_id and t.unfollowed_at is not null;
  delete from app_public.agent_follow g using app_public.agent_follow t
    where g.account_id = v_guest and t.account_id = v_account and t.agent_id = g.agent_id;
  update app_public.agent_follow t set account_id = v_account where t.account_id = v_guest;
  update app_public.post_like t
    set withdrawn_at = null, created_at = g.created_at
    from app_public.post_like g
    where g.account_id = v_guest and g.withdrawn_at is null
      and t.account_id = v_account and t.post_id = g.post_id and t.withdrawn_at is not null;
  delete from app_public.post_like g using app_public.post_like t
    where g.account_id = v_guest and t.account_id = v_account and t.post_id = g.post_id;
  update app_public.post_like t set account_id = v_account where t.account_id = v_guest;
  update app_public.agent_follow f set unfollowed_at = pg_catalog.now()
    from app_public.agent a
    where a.id = f.agent_id and a.owner_id = v_account and f.account_id = v_account
      and f.unfollowed_at is null;
  update app_public.post_like l set withdrawn_at = pg_catalog.now()
    from app_public.post p
    join app_public.agent a on a.id = p.agent_id
    where p.id = l.post_id and a.owner_id = v_account and l.account_id = v_account
      and l.withdrawn_at is null;
  insert into app_public.update_read (account_id, update_id, read_at)
    select v_account, r.update_id, r.read_at from app_public.update_read r
    where r.account_id = v_guest
    on conflict (account_id, update_id) do nothing;
  delete from app_public.update_read r where r.account_id = v_guest;
end
$$;

comment on function app_private.merge_guest_agents(bigint, bigint) is
  'Makes what a guest has of agents the accounts.';
