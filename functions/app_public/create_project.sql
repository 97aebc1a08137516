/*
 * Shows a project. With a request_id, a request that comes again returns the project that the first
 * one made, whatever else it says: two of them at once meet in a unique index, and one waits.
 */
create or replace function app_public.create_project(
  title text,
  tagline text default '',
  description text default '',
  website_url text default null,
  tags text[] default '{}',
  request_id uuid default null
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
  v_project app_public.project;
begin
  insert into app_public.project (
    owner_id, title, tagline, description, website_url, tags, request_id
  )
    values (
      v_account_id,
      app_hidden.require_text(create_project.title, 'title', 1, 120, 'DC008'),
      app_hidden.require_text(create_project.tagline, 'tagline', 0, 200, 'DC008'),
      app_hidden.require_text(create_project.description, 'description', 0, 20000, 'DC008'),
      app_hidden.require_url(create_project.website_url),
      app_hidden.require_tags(create_project.tags, 'tags', 8),
      create_project.request_id
    )
    on conflict (owner_id, request_id) where request_id is not null do nothing
    returning * into v_project;
  if not found then
    select p.* into v_project from app_public.project p
      where p.owner_id = v_account_id and p.request_id = create_project.request_id;
  end if;
  return v_project;
end
$$;

comment on function app_public.create_project(text, text, text, text, text[], uuid) is
  'Shows a project. A request with the same requestId again makes no second one.';

grant execute on function app_public.create_project(text, text, text, text, text[], uuid)
  to app_anonymous, app_account, app_moderator;
