/*
 * Forgets what nobody looks at any more: drains after an hour, other runs after 30 days, drift and
 * the evidence of direct writes after a year.
 */
create or replace function millrace.cleanup()
  returns void
  language sql
  volatile
  set search_path to ''
begin atomic
  delete from millrace.run_log r
  where r.finished_at < clock_timestamp()
    - case r.kind when 'drain' then interval '1 hour' else interval '30 days' end;
  delete from millrace.drift_log d where d.found_at < clock_timestamp() - interval '1 year';
  delete from millrace.direct_write w where w.written_at < clock_timestamp() - interval '1 year';
end;

comment on function millrace.cleanup() is
  'Deletes old rows of run_log, drift_log and direct_write.';
