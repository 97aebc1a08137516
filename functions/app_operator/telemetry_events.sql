/*
 * Events of some days, newest first: what moderators have (app_public.telemetry_events, which is
 * inlined here and reads the partitions of those days), for operators.
 */
create or replace function app_operator.telemetry_events(
  since date default null, until date default null, kind text default null
)
  returns setof app_operator.telemetry_event
  language sql
  stable
  parallel safe
  security invoker
  rows 1000
begin atomic
  select e.id, e.occurred_at, e.day, e.kind, e.account_id, e.payload, e.received_at
  from app_public.telemetry_events(
    telemetry_events.since, telemetry_events.until, telemetry_events.kind) e;
end;

comment on function app_operator.telemetry_events(date, date, text) is
  E'@behavior +order +backwards -array\n'
  '@listOrder DAY_DESC,OCCURRED_AT_DESC,ID_DESC,ACCOUNT_ID_DESC\n'
  'Events of the days from since to until (today if none is given), of one kind, newest first.';

grant execute on function app_operator.telemetry_events(date, date, text) to app_operator;
