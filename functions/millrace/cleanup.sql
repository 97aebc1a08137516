/*
 * Forgets what nobody looks at any more: drains after an hour, recomputes, refreshes and reactions
 * after a day, other runs after 30 days, drift and the evidence of direct writes after a year.
 */
create or replace function millrace.cleanup()
  returns void
  language sql
  volatile
  set search_path to ''
begin atomic
  delete from millrace.run_log r
  where r.finished_at < clock_timestamp()
    - case
      when r.kind = 'drain' then interval '1 hour'
      when r.kind in ('recompute', 'refresh', 'react') then interval '1 day'
      else interval '30 days'
    end;
  delete from millrace.drift_log d where d.found_at < clock_timestamp() - interval '1 year';
  -- keys of reactions that have come to rest
  delete from millrace.run r
  where r.key <> '[]' and r.job_id is null and r.dead_at is null
    and r.finished_at < clock_timestamp() - interval '1 day' - coalesce((
      select d.min_interval from millrace.derivation d where d.id = r.derivation), '0');
  delete from millrace.direct_write w where w.written_at < clock_timestamp() - interval '1 year';
end;

comment on function millrace.cleanup() is
  'Deletes old rows of run_log, drift_log and direct_write.';
