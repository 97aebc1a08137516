/*
 * What was reported by day and kind, newest first: a range of the primary key, or of the index by
 * kind. Moderators and operators see rows (the policies of telemetry_day say so), nobody else does.
 */
create or replace function app_public.telemetry_days(
  since date default null, until date default null, kind text default null
)
  returns setof app_public.telemetry_day
  language sql
  stable
  parallel safe
  security invoker
  rows 100
begin atomic
  select d.* from app_public.telemetry_day d
  where d.day >= coalesce(telemetry_days.since, '-infinity')
    and d.day <= coalesce(telemetry_days.until, 'infinity')
    and (telemetry_days.kind is null or d.kind = telemetry_days.kind);
end;

comment on function app_public.telemetry_days(date, date, text) is
  E'@behavior +order +backwards -array\n'
  '@listOrder DAY_DESC,KIND_ASC\n'
  'What was reported by day and kind, newest first; of the days from since to until, of one kind. '
  'For moderators.';

grant execute on function app_public.telemetry_days(date, date, text)
  to app_anonymous, app_account, app_moderator, app_operator;
