/*
 * What has become of the jobs that were scheduled. One that is gone has succeeded: graphile-worker
 * deletes it then. One that has used up its attempts is dead: its key and error are kept here, the
 * job itself goes (the next one of its key would leave it behind for ever), and the next change of
 * the key tries again, an hour later. One that seems to wait longer than graphile-worker lets wait
 * (e ^ attempts seconds) was added before the clock was set back: it waits no longer.
 */
create or replace function millrace.follow_jobs()
  returns void
  language plpgsql
  volatile
  set search_path to ''
as $$
begin
  execute $sql$
    with followed as (
      select
        r.derivation,
        r.key,
        d.name,
        d.kind,
        r.queued_at,
        j.id as job_id,
        j.id is null as is_done,
        j.id is not null and j.attempts >= j.max_attempts and j.locked_at is null as is_dead,
        j.attempts - (j.locked_at is not null)::integer as failures,
        j.last_error,
        j.locked_at is null and j.run_at > clock_timestamp()
          + (exp(least(j.attempts, 10)) + 5) * interval '1 second' as is_ahead
      from millrace.run r
      join millrace.derivation d on d.id = r.derivation
      left join graphile_worker.jobs j on j.id = r.job_id
      where r.job_id is not null
    ),
    noted as (
      insert into millrace.run_log (kind, name, started_at, keys, error)
      select
        case when f.is_dead then 'failure' else 'react' end,
        f.name, f.queued_at, 1,
        case when f.is_dead then format('key %s: dead after %s attempts: %s',
          f.key, f.failures, f.last_error) end
      from followed f
      where f.is_dead or f.is_done and f.kind = 'react'
    ),
    changed as (
      update millrace.run r
      set
        job_id = case when f.is_done or f.is_dead then null else r.job_id end,
        finished_at = case when f.is_done then clock_timestamp() else r.finished_at end,
        failures = case when f.is_done then 0 else f.failures end,
        last_error = case when f.is_done then null else f.last_error end,
        dead_at = case when f.is_dead then clock_timestamp() else null end
      from followed f
      where r.derivation = f.derivation and r.key = f.key
        and (f.is_done or f.is_dead or f.failures <> r.failures)
    )
    select
      graphile_worker.complete_jobs(array_agg(f.job_id) filter (where f.is_dead)),
      graphile_worker.reschedule_jobs(
        array_agg(f.job_id) filter (where f.is_ahead), run_at => clock_timestamp())
    from followed f
    where f.is_dead or f.is_ahead
    having count(*) > 0
  $sql$;
end
$$;

comment on function millrace.follow_jobs() is 'Notes what has become of the scheduled jobs.';
