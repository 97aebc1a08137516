/*
 * Ends the sessions of the account of the request and forgets its addresses: what delete_account
 * does with them. Who signs in with such an address later begins anew. Runs as its owner, because
 * API roles write none of these tables.
 */
create or replace function app_hidden.end_access()
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
  update app_public.session s set ended_at = pg_catalog.now()
    where s.account_id = v_account_id and s.ended_at is null;
  delete from app_private.nonce n using app_private.account_address d
    where d.account_id = v_account_id and n.address = d.address;
  delete from app_private.account_address d where d.account_id = v_account_id;
end
$$;

comment on function app_hidden.end_access() is
  'Ends the sessions and forgets the addresses of the account of the request.';

grant execute on function app_hidden.end_access()
  to app_anonymous, app_account, app_moderator;
