/* Works on a deleted chain too, and for suspended accounts. Repeating it writes nothing. */
create or replace function app_public.unfollow_chain(chain_id bigint)
  returns app_public.chain
  language plpgsql
  volatile
  security invoker
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_account_id constant bigint := app_hidden.require_account();
  v_chain app_public.chain;
begin
  update app_public.chain_follow f
    set unfollowed_at = now()
    where f.chain_id = unfollow_chain.chain_id and f.account_id = v_account_id
      and f.unfollowed_at is null;
  select c.* into v_chain from app_public.chain c
    where c.id = unfollow_chain.chain_id and c.deleted_at is null;
  return v_chain;
end
$$;

comment on function app_public.unfollow_chain(bigint) is
  'Follows a chain no more; null if there is no such chain.';

grant execute on function app_public.unfollow_chain(bigint)
  to app_anonymous, app_account, app_moderator;
