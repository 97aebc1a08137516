/*
 * An update that the account of the request may read: as require_agent says of its agent.
 */
create or replace function app_private.require_update(update_id bigint)
  returns app_public.agent_update
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_update app_public.agent_update;
begin
  select u.* into v_update from app_public.agent_update u
    join app_public.agent a on a.id = u.agent_id
    where u.id = require_update.update_id and u.deleted_at is null and a.deleted_at is null
      and not app_hidden.is_blocked_between(a.owner_id, app_hidden.current_account_id());
  if not found then
    raise exception 'There is no such update' using
      errcode = 'AG008',
      detail = pg_catalog.format('update %s', require_update.update_id),
      hint = 'It may have been deleted: reload the list.';
  end if;
  return v_update;
end
$$;

comment on function app_private.require_update(bigint) is
  'The update; AG008 where there is none that the caller may read.';
