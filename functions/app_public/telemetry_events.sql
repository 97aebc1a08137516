/*
 * Events of some days, newest first. The days say to the planner which rows of an index, the
 * moments which partitions: a row of a day lies between its midnights. Without days it is the last
 * one, so that nobody reads all partitions by leaving something out.
 */
create or replace function app_public.telemetry_events(
  since date default null, until date default null, kind text default null
)
  returns setof app_public.telemetry_event
  language sql
  stable
  parallel safe
  security invoker
  rows 1000
begin atomic
  select e.* from app_public.telemetry_event e
  where e.day >= coalesce(telemetry_events.since, telemetry_events.until,
      (current_timestamp at time zone 'UTC')::date)
    and e.day <= coalesce(telemetry_events.until, (current_timestamp at time zone 'UTC')::date + 1)
    and e.occurred_at >= coalesce(telemetry_events.since, telemetry_events.until,
      (current_timestamp at time zone 'UTC')::date)::timestamp at time zone 'UTC'
    and e.occurred_at < (coalesce(telemetry_events.until,
      (current_timestamp at time zone 'UTC')::date + 1) + 1)::timestamp at time zone 'UTC'
    and (telemetry_events.kind is null or e.kind = telemetry_events.kind);
end;

comment on function app_public.telemetry_events(date, date, text) is
  E'@behavior +order +backwards -array\n'
  '@listOrder DAY_DESC,OCCURRED_AT_DESC,ID_DESC,ACCOUNT_ID_DESC\n'
  'Events of the days from since to until (today if none is given), of one kind, newest first. '
  'For moderators.';

grant execute on function app_public.telemetry_events(date, date, text)
  to app_anonymous, app_account, app_moderator, app_operator;
