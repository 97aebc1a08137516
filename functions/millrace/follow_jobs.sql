/*
 * What has become of the jobs that were scheduled. One that is gone has succeeded: graphile-worker
 * deletes it then. One that has used up its attempts is dead: it is shown, and the next change of
 * its key tries again, an hour later.
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
        j.id is null as is_done,
        j.id is not null and j.attempts >= j.max_attempts and j.locked_at is null as is_dead,
        j.attempts - (j.locked_at is not null)::integer as failures,
        j.last_error
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
    )
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
  $sql$;
end
$$;

comment on function millrace.follow_jobs() is 'Notes what has become of the scheduled jobs.';
