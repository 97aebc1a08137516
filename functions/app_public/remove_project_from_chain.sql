/*
 * Takes a project out of a chain: for the owner of either, a suspended one too. Removing what is
 * not in the chain changes nothing.
 */
create or replace function app_public.remove_project_from_chain(
  chain_id bigint, project_id bigint
)
  returns app_public.chain_project
  language plpgsql
  volatile
  security invoker
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_account_id constant bigint := app_hidden.require_account();
  v_place app_public.chain_project;
begin
  update app_public.chain_project cp
    set removed_at = now()
    where cp.chain_id = remove_project_from_chain.chain_id
      and cp.project_id = remove_project_from_chain.project_id and cp.removed_at is null
    returning cp.* into v_place;
  if found then
    return v_place;
  end if;
  select cp.* into v_place from app_public.chain_project cp
    where cp.chain_id = remove_project_from_chain.chain_id
      and cp.project_id = remove_project_from_chain.project_id;
  if v_place.removed_at is null then
    perform app_hidden.require_chain(remove_project_from_chain.chain_id);
    perform app_hidden.require_project(remove_project_from_chain.project_id);
  end if;
  if v_place.chain_id is not null and v_place.removed_at is null then
    raise exception 'Only the owners of the chain and of the project may do this' using
      errcode = 'DC007',
      detail = pg_catalog.format('chain %s, project %s, account %s',
        v_place.chain_id, v_place.project_id, v_account_id),
      hint = 'Ask one of them.';
  end if;
  return v_place;
end
$$;

comment on function app_public.remove_project_from_chain(bigint, bigint) is
  'Takes a project out of a chain; null if it never was in it. For the owner of either.';

grant execute on function app_public.remove_project_from_chain(bigint, bigint)
  to app_anonymous, app_account, app_moderator;
