/*
 * Puts the caller into the directory of investors, or changes what is said there: what is left out
 * stays, an empty text clears; a check of -1 clears too. Who has left comes back by saving again.
 * Writes nothing if all stays the same.
 */
create or replace function app_public.save_investor(
  name text default null,
  headline text default null,
  thesis text default null,
  location text default null,
  website_url text default null,
  stages app_public.investor_stage[] default null,
  sectors text[] default null,
  min_check bigint default null,
  max_check bigint default null,
  is_open boolean default null
)
  returns app_public.investor
  language plpgsql
  volatile
  security invoker
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_account_id constant bigint := app_hidden.require_active_account();
  v_old app_public.investor;
  v_new app_public.investor;
begin
  select i.* into v_old from app_public.investor i where i.account_id = v_account_id;
  v_new.name := app_hidden.require_text(
    coalesce(save_investor.name, v_old.name), 'name', 1, 120, 'DC008');
  v_new.headline := app_hidden.require_text(
    coalesce(save_investor.headline, v_old.headline), 'headline', 0, 200, 'DC008');
  v_new.thesis := app_hidden.require_text(
    coalesce(save_investor.thesis, v_old.thesis), 'thesis', 0, 5000, 'DC008');
  v_new.location := app_hidden.require_text(
    coalesce(save_investor.location, v_old.location), 'location', 0, 100, 'DC008');
  v_new.website_url := app_hidden.require_url(
    coalesce(save_investor.website_url, v_old.website_url));
  v_new.stages := array(
    select distinct s.stage
    from pg_catalog.unnest(coalesce(save_investor.stages, v_old.stages)) s(stage)
    where s.stage is not null
    order by s.stage
  );
  v_new.sectors := app_hidden.require_tags(
    coalesce(save_investor.sectors, v_old.sectors), 'sectors', 12);
  v_new.min_check := nullif(coalesce(save_investor.min_check, v_old.min_check), -1);
  v_new.max_check := nullif(coalesce(save_investor.max_check, v_old.max_check), -1);
  v_new.is_open := coalesce(save_investor.is_open, v_old.is_open, true);
  if (
    v_new.min_check not between 0 and 1000000000000
    or v_new.max_check not between 0 and 1000000000000
    or v_new.max_check < v_new.min_check
  ) then
    raise exception 'These are no bounds of a check' using
      errcode = 'DC023',
      detail = pg_catalog.format('from %s to %s US dollars', v_new.min_check, v_new.max_check),
      hint = 'Give whole dollars up to 1,000,000,000,000, the smaller one first; -1 for none.';
  end if;
  if v_old.id is not null and v_old.deleted_at is null
    and (v_old.name, v_old.headline, v_old.thesis, v_old.location, v_old.website_url,
        v_old.stages, v_old.sectors, v_old.min_check, v_old.max_check, v_old.is_open)
      is not distinct from
      (v_new.name, v_new.headline, v_new.thesis, v_new.location, v_new.website_url,
        v_new.stages, v_new.sectors, v_new.min_check, v_new.max_check, v_new.is_open)
  then
    return v_old;
  end if;
  insert into app_public.investor (
    account_id, name, headline, thesis, location, website_url, stages, sectors, min_check,
    max_check, is_open
  )
    values (
      v_account_id, v_new.name, v_new.headline, v_new.thesis, v_new.location, v_new.website_url,
      v_new.stages, v_new.sectors, v_new.min_check, v_new.max_check, v_new.is_open
    )
    on conflict (account_id) do update
      set name = excluded.name, headline = excluded.headline, thesis = excluded.thesis,
        location = excluded.location, website_url = excluded.website_url,
        stages = excluded.stages, sectors = excluded.sectors, min_check = excluded.min_check,
        max_check = excluded.max_check, is_open = excluded.is_open, updated_at = now(),
        deleted_at = null
    returning * into v_new;
  return v_new;
end
$$;

comment on function app_public.save_investor(
  text, text, text, text, text, app_public.investor_stage[], text[], bigint, bigint, boolean
) is
  'Puts the caller into the directory of investors, or changes what is said there; what is left '
  'out stays, a check of -1 is none.';

grant execute on function app_public.save_investor(
  text, text, text, text, text, app_public.investor_stage[], text[], bigint, bigint, boolean
)
  to app_anonymous, app_account, app_moderator;
