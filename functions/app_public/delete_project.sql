/*
 * Deletes a project: its owner's right, and moderators'. Its upvotes, comments and badges stay and
 * count no more; intro requests for it that its owner has a part in end. Suspended accounts may
 * take back their own. Deleting twice changes nothing.
 *
 * Locks the project, then its open requests.
 */
create or replace function app_public.delete_project(project_id bigint)
  returns app_public.project
  language plpgsql
  volatile
  security invoker
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_account_id constant bigint := app_hidden.require_account();
  v_project app_public.project;
begin
  update app_public.project p
    set deleted_at = now()
    where p.id = delete_project.project_id and p.deleted_at is null
      and (p.owner_id = v_account_id or app_hidden.is_moderator())
    returning p.* into v_project;
  if found then
    perform app_hidden.end_intro_requests(v_project.id, null);
    return v_project;
  end if;
  select p.* into v_project from app_public.project p
    where p.id = delete_project.project_id;
  if v_project.id is null then
    perform app_hidden.require_project(delete_project.project_id);
  end if;
  if v_project.owner_id <> v_account_id and not app_hidden.is_moderator() then
    raise exception 'Only its owner may delete a project' using
      errcode = 'DC007',
      detail = pg_catalog.format('project %s, account %s', v_project.id, v_account_id),
      hint = 'Ask its owner or a moderator.';
  end if;
  return v_project;
end
$$;

comment on function app_public.delete_project(bigint) is
  'Deletes a project. For its owner and moderators.';

grant execute on function app_public.delete_project(bigint)
  to app_anonymous, app_account, app_moderator;
