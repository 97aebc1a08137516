/*
 * What was reported by day and kind, newest first.
 */
create or replace function app_operator.telemetry_days(
  since date default null, until date default null, kind text default null
)
  returns setof app_operator.telemetry_day
  language sql
  stable
  parallel safe
  security invoker
  rows 100
begin atomic
  select d.* from app_operator.telemetry_day d
  where d.day >= coalesce(telemetry_days.since, '-infinity')
    and d.day <= coalesce(telemetry_days.until, 'infinity')
    and (telemetry_days.kind is null or d.kind = telemetry_days.kind);
end;

comment on function app_operator.telemetry_days(date, date, text) is
  E'@behavior +order +backwards -array\n'
  '@listOrder DAY_DESC,KIND_ASC\n'
  'What was reported on the days from since to until, of one kind, newest first.';

grant execute on function app_operator.telemetry_days(date, date, text) to app_operator;
