/* The caller's account, for what only the owner of a chain does with it. */
create or replace function app_hidden.require_chain_owner(chain_id bigint)
  returns bigint
  language plpgsql
  volatile
  security invoker
  set search_path to ''
as $$
declare
  v_account_id constant bigint := app_hidden.require_active_account();
begin
  perform app_hidden.require_chain(require_chain_owner.chain_id);
  perform from app_public.chain c
    where c.id = require_chain_owner.chain_id and c.owner_id = v_account_id;
  if not found then
    raise exception 'Only the owner of the chain may do this' using
      errcode = 'DC007',
      detail = pg_catalog.format('chain %s, account %s',
        require_chain_owner.chain_id, v_account_id),
      hint = 'Ask the owner of the chain.';
  end if;
  return v_account_id;
end
$$;

comment on function app_hidden.require_chain_owner(bigint) is
  'The owner of the chain who writes; AC001 to AC005, DC003 or DC007 for anybody else.';

grant execute on function app_hidden.require_chain_owner(bigint)
  to app_anonymous, app_account, app_moderator;
