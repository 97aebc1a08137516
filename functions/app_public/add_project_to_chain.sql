/*
 * Puts a project into a chain: for the owner of either. Whether they may is the policies' rule
 * (app_hidden.require_chain_curator). One insert, or an update of the row that removing left;
 * adding what is in the chain writes nothing.
 */
create or replace function app_public.add_project_to_chain(chain_id bigint, project_id bigint)
  returns app_public.chain_project
  language plpgsql
  volatile
  security invoker
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_account_id constant bigint := app_hidden.require_active_account();
  v_place app_public.chain_project;
begin
  insert into app_public.chain_project as cp (chain_id, project_id, added_by_id)
    values (add_project_to_chain.chain_id, add_project_to_chain.project_id, v_account_id)
    on conflict (chain_id, project_id) do update
      set removed_at = null, added_at = now(), added_by_id = excluded.added_by_id
      where cp.removed_at is not null
    returning * into v_place;
  if not found then
    select cp.* into v_place from app_public.chain_project cp
      where cp.chain_id = add_project_to_chain.chain_id
        and cp.project_id = add_project_to_chain.project_id;
  end if;
  return v_place;
end
$$;

comment on function app_public.add_project_to_chain(bigint, bigint) is
  'Puts a project into a chain. For the owner of either.';

grant execute on function app_public.add_project_to_chain(bigint, bigint)
  to app_anonymous, app_account, app_moderator;
