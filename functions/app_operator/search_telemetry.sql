/*
 * Events whose payload contains what is looked for: what moderators have, for operators.
 */
create or replace function app_operator.search_telemetry(
  payload jsonb, since date default null, until date default null, kind text default null
)
  returns setof app_operator.telemetry_event
  language sql
  stable
  security invoker
  rows 100
begin atomic
  select e.id, e.occurred_at, e.day, e.kind, e.account_id, e.payload, e.received_at
  from app_public.search_telemetry(
    search_telemetry.payload, search_telemetry.since, search_telemetry.until,
    search_telemetry.kind) e;
end;

comment on function app_operator.search_telemetry(jsonb, date, date, text) is
  E'@behavior +order +backwards -array\n'
  '@listOrder DAY_DESC,OCCURRED_AT_DESC,ID_DESC,ACCOUNT_ID_DESC\n'
  'Events of the days from since to until (today if none is given) whose payload contains this, '
  'newest first, 1,000 at most.';

grant execute on function app_operator.search_telemetry(jsonb, date, date, text) to app_operator;
