/*
 * The measures of alert rules, as they are now. Null is: nothing to measure (no request in these
 * minutes, no partitioned table). Rates are over whole minutes of the samples.
 */
create or replace function app_private.measure_alerts()
  returns table (measure text, value double precision, detail text)
  language sql
  stable
  set search_path to ''
begin atomic
  with recent as (
    select s.* from app_private.host_sample s
    where s.minute >= date_trunc('minute', clock_timestamp()) - interval '5 minutes'
  ),
  pressed as (
    select
      r.host,
      sum(r.pool_waits) as waits,
      sum(r.pool_acquisitions) as acquisitions,
      max(r.pool_wait_max_ms) as longest
    from recent r
    where r.minute >= date_trunc('minute', clock_timestamp()) - interval '2 minutes'
    group by r.host
    having sum(r.pool_acquisitions) >= 20
  ),
  blocks as (
    select
      last_value(d.blocks_hit) over w - first_value(d.blocks_hit) over w as hit,
      last_value(d.blocks_read) over w - first_value(d.blocks_read) over w as read
    from app_private.database_sample d
    where d.sampled_at >= clock_timestamp() - interval '6 minutes'
    window w as (
      order by d.sampled_at rows between unbounded preceding and unbounded following
    )
    limit 1
  )
  select 'statement_p95', s.value, s.host
  from (values (1)) always (one)
  left join lateral (
    select max(r.statement_p95_ms)::double precision as value, r.host
    from recent r where r.statements >= 20
    group by r.host order by 1 desc limit 1
  ) s on true
  union all
  select 'error_rate',
    case when sum(r.requests) >= 20 then 100.0 * sum(r.errors) / sum(r.requests) end,
    format('%s of %s requests', coalesce(sum(r.errors), 0), coalesce(sum(r.requests), 0))
  from recent r
  union all
  select 'cache_hit', 100.0 * b.hit / (b.hit + b.read),
    case when b.hit is not null then format('%s of %s blocks', b.hit, b.hit + b.read) end
  from (values (1)) always (one)
  left join blocks b on b.hit >= 0 and b.read >= 0 and b.hit + b.read >= 10000
  union all
  select 'pool_wait', p.value, p.detail
  from (values (1)) always (one)
  left join lateral (
    select
      100.0 * q.waits / q.acquisitions as value,
      format('%s: %s of %s waited, the longest %s ms', q.host, q.waits, q.acquisitions,
        round(q.longest)) as detail
    from pressed q order by 1 desc limit 1
  ) p on true
  union all
  select 'staleness', d.value, d.name
  from (values (1)) always (one)
  left join lateral (
    select extract(epoch from t.lag)::double precision as value, t.name
    from millrace.status t where t.state <> 'paused'
    order by t.lag desc, t.name limit 1
  ) d on true
  union all
  select 'drift', coalesce(sum(d.keys_drifted), 0)::double precision,
    string_agg(distinct d.name || ': ' || d.cause, '; ')
  from millrace.drift_log d
  where d.found_at > clock_timestamp() - interval '1 hour'
  union all
  select 'dead_jobs', count(*)::double precision, string_agg(distinct j.task, ', ')
  from app_private.dead_jobs() j
  union all
  select 'default_partition_rows', coalesce(sum(p.rows), 0)::double precision,
    string_agg(p.relation, ', ' order by p.relation) filter (where p.rows > 0)
  from app_private.default_partition_rows() p
  union all
  -- a table that is to have fewer than two ahead is well with fewer
  select 'partitions_ahead', min(p.ahead + greatest(2 - p.premake, 0))::double precision,
    (array_agg(p.table_name order by p.ahead + greatest(2 - p.premake, 0), p.table_name))[1]
  from millrace.partition_status p
  union all
  select 'failed_derivations',
    sum((t.state = 'failed')::integer + t.failed_keys + t.dead_keys)::double precision,
    string_agg(t.name, ', ' order by t.name)
      filter (where t.state = 'failed' or t.failed_keys + t.dead_keys > 0)
  from millrace.status t
  union all
  select 'transaction_age', a.value, a.detail
  from (values (1)) always (one)
  left join lateral (
    select
      extract(epoch from clock_timestamp() - c.xact_start)::double precision as value,
      format('process %s, %s, %s', c.pid, c.application_name, c.state) as detail
    from pg_catalog.pg_stat_activity c
    where c.datname = current_database() and c.backend_type = 'client backend'
      and c.pid <> pg_catalog.pg_backend_pid() and c.xact_start is not null
    order by c.xact_start limit 1
  ) a on true
  union all
  select 'transaction_id_age',
    max(greatest(pg_catalog.age(d.datfrozenxid), pg_catalog.mxid_age(d.datminmxid)))
      ::double precision,
    (array_agg(d.datname order by greatest(
      pg_catalog.age(d.datfrozenxid), pg_catalog.mxid_age(d.datminmxid)) desc))[1]
  from pg_catalog.pg_database d
  union all
  select 'security_findings', count(*)::double precision,
    string_agg(f.object || ': ' || f.problem, '; ' order by f.object, f.problem)
  from app_private.security_finding f;
end;

comment on function app_private.measure_alerts() is
  'The measures of alert rules as they are now, and what each value came from; null where there is '
  'nothing to measure.';
