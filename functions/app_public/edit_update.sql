/*
 * Changes an update of an agent of the caller's: what is left out stays. Who has read it has read
 * it. Writes nothing if all stays the same.
 */
create or replace function app_public.edit_update(
  update_id bigint, headline text default null, summary text default null,
  details text default null
)
  returns app_public.agent_update
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_old app_public.agent_update;
  v_new app_public.agent_update;
begin
  perform app_hidden.require_active_account();
  v_old := app_private.require_update(edit_update.update_id);
  perform app_private.require_own_agent(v_old.agent_id);
  select u.* into v_old from app_public.agent_update u where u.id = v_old.id for no key update;
  v_new.headline := app_hidden.require_text(
    coalesce(edit_update.headline, v_old.headline), 'headline', 1, 160, 'AG006');
  v_new.summary := app_hidden.require_text(
    coalesce(edit_update.summary, v_old.summary), 'summary', 0, 1000, 'AG006');
  v_new.details := app_hidden.require_text(
    coalesce(edit_update.details, v_old.details), 'details', 0, 20000, 'AG006');
  if (v_old.headline, v_old.summary, v_old.details)
    is not distinct from (v_new.headline, v_new.summary, v_new.details)
  then
    return v_old;
  end if;
  update app_public.agent_update u
    set headline = v_new.headline, summary = v_new.summary, details = v_new.details,
      edited_at = now()
    where u.id = v_old.id and u.deleted_at is null
    returning u.* into v_new;
  if not found then
    perform app_private.require_update(edit_update.update_id);
  end if;
  return v_new;
end
$$;

comment on function app_public.edit_update(bigint, text, text, text) is
  'Changes an update of an agent of the caller''s; what is left out stays.';

grant execute on function app_public.edit_update(bigint, text, text, text)
  to app_anonymous, app_account, app_moderator;
