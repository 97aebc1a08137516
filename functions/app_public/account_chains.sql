/* A range of chain_owner_id_idx. */
create or replace function app_public.account_chains(account app_public.account)
  returns setof app_public.chain
  language sql
  stable
  parallel safe
  security invoker
  rows 100
begin atomic
  select c.* from app_public.chain c
  where c.owner_id = account.id and c.deleted_at is null;
end;

comment on function app_public.account_chains(app_public.account) is
  E'@behavior +order +backwards -array\n'
  '@listOrder CREATED_AT_DESC,ID_DESC\n'
  'The chains that the account keeps, newest first.';

grant execute on function app_public.account_chains(app_public.account)
  to app_anonymous, app_account, app_moderator;
