/*
 * What was reported by day and kind: the stored sums, which follow the events within a drain. Read
 * by telemetry_days.
 */
create or replace view app_operator.telemetry_day as
select d.day, d.kind, d.event_count, d.account_count
from app_public.telemetry_day d;

comment on view app_operator.telemetry_day is
  E'@behavior -query:resource:list -query:resource:connection\n'
  'What clients reported by day and kind; stays when the events go.';
comment on column app_operator.telemetry_day.day is 'The day, in UTC.';
comment on column app_operator.telemetry_day.kind is 'What occurred.';
comment on column app_operator.telemetry_day.event_count is 'How often, as of the last drain.';
comment on column app_operator.telemetry_day.account_count is
  'How many accounts reported it, as of the last drain.';

grant select on app_operator.telemetry_day to app_operator;
