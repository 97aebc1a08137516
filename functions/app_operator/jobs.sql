/*
 * Background jobs: those of graphile-worker that are there, and dead analyses of pg-boss. Payloads
 * are not shown.
 */
create or replace function app_operator.jobs(state text default null)
  returns setof app_operator.job
  language plpgsql
  stable
  security definer
  set search_path to ''
as $$
begin
  if jobs.state is not null
    and jobs.state not in ('ready', 'scheduled', 'running', 'failing', 'dead')
  then
    raise exception 'There is no such state of a job' using
      errcode = 'OP024',
      detail = format('state %L', jobs.state),
      hint = 'ready, scheduled, running, failing or dead.';
  end if;
  if to_regclass('graphile_worker.jobs') is not null then
    return query execute
      'select q.*
      from (
        select ''graphile_worker'', j.id::text, j.task_identifier,
          case
            when j.locked_at is not null then ''running''
            when j.attempts >= j.max_attempts then ''dead''
            when j.attempts > 0 then ''failing''
            when j.run_at > now() then ''scheduled''
            else ''ready''
          end as state,
          j.attempts::integer, j.max_attempts::integer, j.run_at, j.locked_at, j.last_error
        from graphile_worker.jobs j
      ) q
      where $1 is null or q.state = $1
      order by q.run_at, q.id'
      using jobs.state;
  end if;
  if jobs.state is null or jobs.state = 'dead' then
    return query
      select d.queue, d.id, d.task, 'dead', d.attempts, d.attempts, d.at, null::timestamptz,
        d.last_error
      from app_private.dead_jobs() d where d.queue = 'pgboss';
  end if;
end
$$;

comment on function app_operator.jobs(text) is
  'Background jobs, by state if one is given: ready, scheduled, running, failing or dead.';

grant execute on function app_operator.jobs(text) to app_operator;
