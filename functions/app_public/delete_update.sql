/*
 * Deletes an update: the right of its agent's owner, a suspended one too, and of moderators. The
 * text is gone. Deleting twice changes nothing.
 */
create or replace function app_public.delete_update(update_id bigint)
  returns app_public.agent_update
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_account_id constant bigint := app_hidden.require_account();
  v_old app_public.agent_update;
  v_new app_public.agent_update;
begin
  select x.* into v_old from app_public.agent_update x
    join app_public.agent a on a.id = x.agent_id
    where x.id = delete_update.update_id
      and (a.owner_id = v_account_id or app_hidden.is_moderator())
    for no key update of x;
  if not found then
    v_old := app_private.require_update(delete_update.update_id);
    raise exception 'Only the owner of its agent may delete an update' using
      errcode = 'AG002',
      detail = pg_catalog.format('update %s, account %s', v_old.id, v_account_id),
      hint = 'Ask them, or report it to the moderators.';
  end if;
  if v_old.deleted_at is not null then
    return v_old;
  end if;
  update app_public.agent_update x
    set headline = '', summary = '', details = '', deleted_at = now()
    where x.id = v_old.id
    returning x.* into v_new;
  return v_new;
end
$$;

comment on function app_public.delete_update(bigint) is
  'Deletes an update. For the owner of its agent and moderators.';

grant execute on function app_public.delete_update(bigint)
  to app_anonymous, app_account, app_moderator;
