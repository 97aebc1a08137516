/*
 * A host of workers says that it lives, every two seconds. One that has been silent for ten is
 * taken for dead by the tick, which gives its jobs back: graphile-worker itself would keep them for
 * hours.
 */
create or replace function millrace.heartbeat(host text)
  returns void
  language sql
  volatile
  set search_path to ''
begin atomic
  insert into millrace.host as h (id, seen_at) values (heartbeat.host, clock_timestamp())
  on conflict (id) do update set seen_at = excluded.seen_at;
end;

comment on function millrace.heartbeat(text) is
  'Says that a worker pool lives; host is its id in graphile_worker''s locked_by.';
