/*
 * Deletes a chain: its owner's right, a suspended one's too, and moderators'. Its projects live on
 * outside of it; its posts and followers stay with it. Deleting twice changes nothing.
 */
create or replace function app_public.delete_chain(chain_id bigint)
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
  update app_public.chain c
    set deleted_at = now()
    where c.id = delete_chain.chain_id and c.deleted_at is null
      and (c.owner_id = v_account_id or app_hidden.is_moderator())
    returning c.* into v_chain;
  if found then
    return v_chain;
  end if;
  select c.* into v_chain from app_public.chain c where c.id = delete_chain.chain_id;
  if v_chain.id is null then
    perform app_hidden.require_chain(delete_chain.chain_id);
  end if;
  if v_chain.owner_id <> v_account_id and not app_hidden.is_moderator() then
    raise exception 'Only its owner may delete a chain' using
      errcode = 'DC007',
      detail = pg_catalog.format('chain %s, account %s', v_chain.id, v_account_id),
      hint = 'Ask its owner or a moderator.';
  end if;
  return v_chain;
end
$$;

comment on function app_public.delete_chain(bigint) is
  'Deletes a chain. For its owner and moderators.';

grant execute on function app_public.delete_chain(bigint)
  to app_anonymous, app_account, app_moderator;
