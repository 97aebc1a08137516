/*
 * A validator vouches for a project. At most one badge of a kind stands on a project: awarding it
 * again, by whomever, returns the one that stands. Two validators at once meet in a unique index,
 * and the later one gets the earlier one's badge.
 */
create or replace function app_public.award_badge(
  project_id bigint, kind app_public.badge_kind, note text default ''
)
  returns app_public.badge
  language plpgsql
  volatile
  security invoker
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_validator_id constant bigint := app_hidden.require_validator();
  v_note constant text := app_hidden.require_text(award_badge.note, 'note', 0, 2000, 'DC008');
  v_badge app_public.badge;
begin
  if award_badge.kind is null then
    raise exception 'There is no kind of badge' using
      errcode = 'DC014',
      detail = pg_catalog.format('project %s', award_badge.project_id),
      hint = 'Say what was proven.';
  end if;
  perform app_hidden.require_project(award_badge.project_id);
  perform from app_public.project p
    where p.id = award_badge.project_id and p.owner_id = v_validator_id;
  if found then
    raise exception 'Validators do not judge their own projects' using
      errcode = 'DC013',
      detail = pg_catalog.format('project %s, account %s',
        award_badge.project_id, v_validator_id),
      hint = 'Ask another validator.';
  end if;
  insert into app_public.badge (project_id, validator_id, kind, points, note)
    values (
      award_badge.project_id, v_validator_id, award_badge.kind,
      app_hidden.badge_points(award_badge.kind), v_note
    )
    on conflict (project_id, kind) where revoked_at is null do nothing
    returning * into v_badge;
  if not found then
    select b.* into v_badge from app_public.badge b
      where b.project_id = award_badge.project_id and b.kind = award_badge.kind
        and b.revoked_at is null;
  end if;
  return v_badge;
end
$$;

comment on function app_public.award_badge(bigint, app_public.badge_kind, text) is
  'Awards a badge to a project. For validators; one that stands already is returned as it is.';

grant execute on function app_public.award_badge(bigint, app_public.badge_kind, text)
  to app_anonymous, app_account, app_moderator;
