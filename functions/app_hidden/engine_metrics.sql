/*
 * What GET /metrics reports of the database, in one statement. Names of derivations and tasks and
 * numbers, which say nothing of anybody; runs as its owner because API roles see none of it.
 * Pending rows are counted up to 100,000 a log.
 */
create or replace function app_hidden.engine_metrics()
  returns jsonb
  language plpgsql
  stable
  security definer
  set search_path to ''
as $$
declare
  v_metrics jsonb;
  v_jobs jsonb := '[]';
begin
  if to_regclass('graphile_worker.jobs') is not null then
    -- as text: the schema belongs to graphile-worker, which makes it when it first starts
    execute $sql$
      select coalesce(jsonb_agg(q), '[]')
      from (
        select
          case
            when j.locked_at is not null then 'running'
            when j.attempts >= j.max_attempts then 'dead'
            when j.attempts > 0 then 'failing'
            when j.run_at > now() then 'scheduled'
            else 'ready'
          end as state,
          count(*) as jobs
        from graphile_worker.jobs j
        group by 1
      ) q
    $sql$ into v_jobs;
  end if;
  with pending as materialized (
    select s.relation, p.rows, p.oldest
    from millrace.source s
    cross join lateral app_private.pending_at_most(s.log, 100000) p
  )
  select jsonb_build_object(
    'derivations', coalesce((
      select jsonb_agg(jsonb_build_object(
        'name', d.name, 'kind', d.kind, 'state', d.state, 'waiting', coalesce(w.keys, 0),
        'staleness',
        coalesce(round(extract(epoch from clock_timestamp() - least(p.oldest, w.oldest)), 3), 0),
        'failed', (d.state = 'failed')::integer
          + (select count(*) from millrace.failed_key f where f.derivation = d.id)
          + (select count(r.dead_at) from millrace.run r where r.derivation = d.id)))
      from millrace.derivation d
      left join lateral (
        select min(q.oldest) as oldest
        from millrace.reading r
        join pending q on q.relation = r.relation
        where r.id = d.id
      ) p on true
      left join lateral (
        select count(*) as keys, min(q.first_at) as oldest
        from millrace.waiting(d.id) q where d.work is not null
      ) w on true
    ), '[]'),
    'logs', coalesce((
      select jsonb_agg(jsonb_build_object(
        'source', millrace.qualified_name(p.relation), 'pending', p.rows))
      from pending p
    ), '[]'),
    'runs', (select g.number from millrace.generation g),
    'lastRunAt', (
      select extract(epoch from max(s.drained_at)) from millrace.source s
    ),
    'tickers', app_private.tickers(),
    'hosts', (select count(*) from millrace.host),
    'drift', coalesce((
      select sum(d.keys_drifted) from millrace.drift_log d
      where d.found_at > clock_timestamp() - interval '1 hour'
    ), 0),
    'jobs', v_jobs,
    'alerts', coalesce((
      select jsonb_agg(jsonb_build_object('rule', r.name, 'firing', (a.id is not null)::integer))
      from app_operator.alert_rule r
      left join app_operator.alert a on a.rule_name = r.name and a.resolved_at is null
      where r.is_enabled
    ), '[]'),
    'connections', jsonb_build_object(
      'used', (
        select sum(d.numbackends) from pg_catalog.pg_stat_database d
      ),
      'max', current_setting('max_connections')::integer
    ),
    'blocks', (
      select jsonb_build_object('hit', d.blks_hit, 'read', d.blks_read)
      from pg_catalog.pg_stat_database d where d.datname = current_database()
    )
  ) into v_metrics;
  return v_metrics;
end
$$;

comment on function app_hidden.engine_metrics() is
  'What the engine, the queue and the database have to say to a monitoring system.';

grant execute on function app_hidden.engine_metrics() to app_anonymous;
