/* A range of chain_project_chain_id_added_at_idx with one look at each project. */
create or replace function app_public.chain_projects(chain app_public.chain)
  returns setof app_public.chain_project
  language sql
  stable
  parallel safe
  security invoker
  rows 100
begin atomic
  select cp.* from app_public.chain_project cp
  join app_public.project p on p.id = cp.project_id
  where cp.chain_id = chain.id and cp.removed_at is null and p.deleted_at is null;
end;

comment on function app_public.chain_projects(app_public.chain) is
  E'@behavior +order +backwards -array\n'
  '@listOrder ADDED_AT_DESC,PROJECT_ID_DESC,CHAIN_ID_DESC\n'
  'The projects in the chain, last added first.';

grant execute on function app_public.chain_projects(app_public.chain)
  to app_anonymous, app_account, app_moderator;
