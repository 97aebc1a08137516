/* One insert, or an update of the row that unfollowing left. Repeating it writes nothing. */
create or replace function app_public.follow_chain(chain_id bigint)
  returns app_public.chain
  language plpgsql
  volatile
  security invoker
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_account_id constant bigint := app_hidden.require_active_account();
  v_chain app_public.chain;
begin
  insert into app_public.chain_follow as f (chain_id, account_id)
    values (follow_chain.chain_id, v_account_id)
    on conflict (chain_id, account_id) do update
      set unfollowed_at = null, followed_at = now()
      where f.unfollowed_at is not null;
  select c.* into v_chain from app_public.chain c where c.id = follow_chain.chain_id;
  return v_chain;
end
$$;

comment on function app_public.follow_chain(bigint) is 'Follows a chain.';

grant execute on function app_public.follow_chain(bigint)
  to app_anonymous, app_account, app_moderator;
