/*
 * What the caller says about themselves, in whole or in part: what is left out stays, an empty text
 * clears. One statement makes the row or changes it; writes nothing if all stays the same.
 */
create or replace function app_public.save_profile(
  headline text default null,
  bio text default null,
  location text default null,
  skills text[] default null,
  website_url text default null
)
  returns app_public.profile
  language plpgsql
  volatile
  security invoker
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_account_id constant bigint := app_hidden.require_active_account();
  v_old app_public.profile;
  v_new app_public.profile;
begin
  select p.* into v_old from app_public.profile p where p.account_id = v_account_id;
  v_new.headline := app_hidden.require_text(
    coalesce(save_profile.headline, v_old.headline), 'headline', 0, 160, 'DC008');
  v_new.bio := app_hidden.require_text(
    coalesce(save_profile.bio, v_old.bio), 'bio', 0, 4000, 'DC008');
  v_new.location := app_hidden.require_text(
    coalesce(save_profile.location, v_old.location), 'location', 0, 100, 'DC008');
  v_new.skills := app_hidden.require_tags(
    coalesce(save_profile.skills, v_old.skills), 'skills', 20);
  v_new.website_url := app_hidden.require_url(
    coalesce(save_profile.website_url, v_old.website_url));
  if v_old.account_id is not null
    and (v_old.headline, v_old.bio, v_old.location, v_old.skills, v_old.website_url)
      is not distinct from
      (v_new.headline, v_new.bio, v_new.location, v_new.skills, v_new.website_url)
  then
    return v_old;
  end if;
  insert into app_public.profile (account_id, headline, bio, location, skills, website_url)
    values (
      v_account_id, v_new.headline, v_new.bio, v_new.location, v_new.skills, v_new.website_url
    )
    on conflict (account_id) do update
      set headline = excluded.headline, bio = excluded.bio, location = excluded.location,
        skills = excluded.skills, website_url = excluded.website_url, updated_at = now()
    returning * into v_new;
  return v_new;
end
$$;

comment on function app_public.save_profile(text, text, text, text[], text) is
  'Changes what the caller says about themselves; what is left out stays.';

grant execute on function app_public.save_profile(text, text, text, text[], text)
  to app_anonymous, app_account, app_moderator;
