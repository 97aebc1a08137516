/*
 * A range of project_owner_id_idx. Ordered by what never changes, so pages neither overlap nor
 * leave a gap.
 */
create or replace function app_public.account_projects(account app_public.account)
  returns setof app_public.project
  language sql
  stable
  parallel safe
  security invoker
  rows 100
begin atomic
  select p.* from app_public.project p
  where p.owner_id = account.id and p.deleted_at is null;
end;

comment on function app_public.account_projects(app_public.account) is
  E'@behavior +order +backwards -array\n'
  '@listOrder CREATED_AT_DESC,ID_DESC\n'
  'The projects that the account shows, newest first.';

grant execute on function app_public.account_projects(app_public.account)
  to app_anonymous, app_account, app_moderator;
