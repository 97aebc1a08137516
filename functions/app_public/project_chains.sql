/* A range of chain_project_project_id_idx with one look at each chain. */
create or replace function app_public.project_chains(project app_public.project)
  returns setof app_public.chain_project
  language sql
  stable
  parallel safe
  security invoker
  rows 100
begin atomic
  select cp.* from app_public.chain_project cp
  join app_public.chain c on c.id = cp.chain_id
  where cp.project_id = project.id and cp.removed_at is null and c.deleted_at is null;
end;

comment on function app_public.project_chains(app_public.project) is
  E'@behavior +order +backwards -array\n'
  '@listOrder ADDED_AT_DESC,CHAIN_ID_DESC,PROJECT_ID_DESC\n'
  'The chains that the project is in, last added first.';

grant execute on function app_public.project_chains(app_public.project)
  to app_anonymous, app_account, app_moderator;
