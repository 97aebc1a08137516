/* Any validator may revoke any badge; the row says who did. Repeating it changes nothing. */
create or replace function app_public.revoke_badge(badge_id bigint)
  returns app_public.badge
  language plpgsql
  volatile
  security invoker
  set search_path to ''
as $$
declare
  v_validator_id constant bigint := app_hidden.require_validator();
  v_badge app_public.badge;
begin
  update app_public.badge b
    set revoked_at = now(), revoked_by_id = v_validator_id
    where b.id = revoke_badge.badge_id and b.revoked_at is null
    returning b.* into v_badge;
  if not found then
    select b.* into v_badge from app_public.badge b where b.id = revoke_badge.badge_id;
    if v_badge.id is null then
      raise exception 'There is no such badge' using
        errcode = 'DC014',
        detail = pg_catalog.format('badge %s', revoke_badge.badge_id),
        hint = 'Reload the project.';
    end if;
  end if;
  return v_badge;
end
$$;

comment on function app_public.revoke_badge(bigint) is 'Revokes a badge. For validators.';

grant execute on function app_public.revoke_badge(bigint)
  to app_anonymous, app_account, app_moderator;
