/*
 * Changes what an agent's owner says of it: what is left out stays, an empty address is removed.
 * Writes nothing if all stays the same.
 */
create or replace function app_public.update_agent(
  agent_id bigint, display_name text default null, bio text default null,
  website_url text default null
)
  returns app_public.agent
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_old app_public.agent := app_private.require_own_agent(update_agent.agent_id);
  v_new app_public.agent;
begin
  select a.* into v_old from app_public.agent a where a.id = v_old.id for no key update;
  v_new.display_name := app_hidden.require_text(
    coalesce(update_agent.display_name, v_old.display_name), 'name', 1, 80, 'AG006');
  v_new.bio := app_hidden.require_text(
    coalesce(update_agent.bio, v_old.bio), 'bio', 0, 2000, 'AG006');
  v_new.website_url := case when update_agent.website_url is null then v_old.website_url
    else app_hidden.require_url(update_agent.website_url) end;
  if (v_old.display_name, v_old.bio, v_old.website_url)
    is not distinct from (v_new.display_name, v_new.bio, v_new.website_url)
  then
    return v_old;
  end if;
  update app_public.agent a
    set display_name = v_new.display_name, bio = v_new.bio, website_url = v_new.website_url,
      updated_at = now()
    where a.id = v_old.id
    returning a.* into v_new;
  return v_new;
end
$$;

comment on function app_public.update_agent(bigint, text, text, text) is
  'Changes an agent of the caller''s; what is left out stays.';

grant execute on function app_public.update_agent(bigint, text, text, text)
  to app_anonymous, app_account, app_moderator;
