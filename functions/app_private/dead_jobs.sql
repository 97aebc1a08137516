/*
 * Jobs that have used up their attempts: of graphile-worker, and the analyses that pg-boss put into
 * its dead letter queue. Either may not be installed yet: its host does that when it first starts.
 */
create or replace function app_private.dead_jobs()
  returns table (queue text, id text, task text, attempts integer, last_error text, at timestamptz)
  language plpgsql
  stable
  security definer
  set search_path to ''
as $$
begin
  if to_regclass('graphile_worker.jobs') is not null then
    return query execute
      'select ''graphile_worker'', j.id::text, j.task_identifier, j.attempts::integer,
        j.last_error, j.updated_at
      from graphile_worker.jobs j
      where j.attempts >= j.max_attempts and j.locked_at is null';
  end if;
  if to_regclass('pgboss.job') is not null then
    return query execute
      'select ''pgboss'', j.id::text, j.name, j.retry_count::integer, j.output::text, j.created_on
      from pgboss.job j
      join pgboss.queue q on q.dead_letter = j.name
      where j.state in (''created'', ''retry'', ''active'')';
  end if;
end
$$;

comment on function app_private.dead_jobs() is
  'Jobs of both queues that have used up their attempts.';
