/*
 * What clients reported. Read by telemetry_events and search_telemetry.
 */
create or replace view app_operator.telemetry_event as
select e.id, e.occurred_at, e.day, e.kind, e.account_id, e.payload, e.received_at
from app_public.telemetry_event e;

comment on view app_operator.telemetry_event is
  E'@behavior -query:resource:list -query:resource:connection\n'
  'Something that a client reported.';
comment on column app_operator.telemetry_event.id is 'The client''s name for the event, or ours.';
comment on column app_operator.telemetry_event.occurred_at is
  'When it occurred, by the client''s clock.';
comment on column app_operator.telemetry_event.day is 'The day of that, in UTC.';
comment on column app_operator.telemetry_event.kind is 'What occurred.';
comment on column app_operator.telemetry_event.account_id is 'The account that reported it.';
comment on column app_operator.telemetry_event.payload is 'What else the client says of it.';
comment on column app_operator.telemetry_event.received_at is 'When it came in.';

grant select on app_operator.telemetry_event to app_operator;
