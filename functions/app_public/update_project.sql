/*
 * Changes what a project's owner says of it: what is left out stays, an empty text clears. Writes
 * nothing if all stays the same, so a repeated request changes nothing.
 */
create or replace function app_public.update_project(
  project_id bigint,
  title text default null,
  tagline text default null,
  description text default null,
  website_url text default null,
  tags text[] default null
)
  returns app_public.project
  language plpgsql
  volatile
  security invoker
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_account_id constant bigint := app_hidden.require_active_account();
  v_old app_public.project;
  v_new app_public.project;
begin
  perform app_hidden.require_project(update_project.project_id);
  select p.* into v_old from app_public.project p
    where p.id = update_project.project_id and p.owner_id = v_account_id
    for no key update;
  if not found then
    raise exception 'Only its owner may change a project' using
      errcode = 'DC007',
      detail = pg_catalog.format('project %s, account %s',
        update_project.project_id, v_account_id),
      hint = 'Write a comment to the owner.';
  end if;
  v_new.title := app_hidden.require_text(
    coalesce(update_project.title, v_old.title), 'title', 1, 120, 'DC008');
  v_new.tagline := app_hidden.require_text(
    coalesce(update_project.tagline, v_old.tagline), 'tagline', 0, 200, 'DC008');
  v_new.description := app_hidden.require_text(
    coalesce(update_project.description, v_old.description), 'description', 0, 20000, 'DC008');
  v_new.website_url := app_hidden.require_url(
    coalesce(update_project.website_url, v_old.website_url));
  v_new.tags := app_hidden.require_tags(coalesce(update_project.tags, v_old.tags), 'tags', 8);
  if (v_old.title, v_old.tagline, v_old.description, v_old.website_url, v_old.tags)
    is not distinct from
    (v_new.title, v_new.tagline, v_new.description, v_new.website_url, v_new.tags)
  then
    return v_old;
  end if;
  update app_public.project p
    set title = v_new.title, tagline = v_new.tagline, description = v_new.description,
      website_url = v_new.website_url, tags = v_new.tags, updated_at = now()
    where p.id = v_old.id
    returning p.* into v_new;
  return v_new;
end
$$;

comment on function app_public.update_project(bigint, text, text, text, text, text[]) is
  'Changes a project of the caller''s; what is left out stays.';

grant execute on function app_public.update_project(bigint, text, text, text, text, text[])
  to app_anonymous, app_account, app_moderator;
