/*
 * What a host of the API measured since its last report, some once a minute. Runs as its owner: the
 * API's login has no rights of its own, and a host needs no other. The minute is the database's, so
 * that the clocks of hosts do not matter; two reports in one are added up.
 *
 * Bounded, because whoever holds that login may call it: 100 hosts a minute, 100 operations and 50
 * statements of a host; numbers below zero count as zero.
 */
create or replace function app_hidden.report_host(report jsonb)
  returns void
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
declare
  v_host constant text := left(report ->> 'host', 200);
  v_minute constant timestamptz := date_trunc('minute', clock_timestamp());
begin
  if v_host is null or v_host = ''
    or (select count(*) from app_private.host_sample s where s.minute = v_minute) >= 100
  then
    raise exception 'This report is not kept' using
      errcode = 'OP025',
      detail = 'It names no host, or a hundred hosts have reported in this minute.',
      hint = 'Report {"host": "<name>", …} once a minute.';
  end if;
  insert into app_private.host_sample as s
  select v_host, v_minute, greatest(r.requests, 0), greatest(r.errors, 0), r."requestP95",
    greatest(r.statements, 0), r."statementP95", r."statementMax", greatest(r."poolSize", 0),
    greatest(r."poolUsedMax", 0), greatest(r."poolAcquisitions", 0), greatest(r."poolWaits", 0),
    greatest(r."poolWaitMax", 0), r."cacheHits", r."cacheMisses", r."cacheEntries",
    r."eventLoopP99", r."memoryBytes"
  from jsonb_to_record(report) r (
    requests integer, errors integer, "requestP95" real, statements integer, "statementP95" real,
    "statementMax" real, "poolSize" integer, "poolUsedMax" integer, "poolAcquisitions" integer,
    "poolWaits" integer, "poolWaitMax" real, "cacheHits" bigint, "cacheMisses" bigint,
    "cacheEntries" integer, "eventLoopP99" real, "memoryBytes" bigint
  )
  on conflict (host, minute) do update set
    requests = s.requests + excluded.requests,
    errors = s.errors + excluded.errors,
    request_p95_ms = greatest(s.request_p95_ms, excluded.request_p95_ms),
    statements = s.statements + excluded.statements,
    statement_p95_ms = greatest(s.statement_p95_ms, excluded.statement_p95_ms),
    statement_max_ms = greatest(s.statement_max_ms, excluded.statement_max_ms),
    pool_size = excluded.pool_size,
    pool_used_max = greatest(s.pool_used_max, excluded.pool_used_max),
    pool_acquisitions = s.pool_acquisitions + excluded.pool_acquisitions,
    pool_waits = s.pool_waits + excluded.pool_waits,
    pool_wait_max_ms = greatest(s.pool_wait_max_ms, excluded.pool_wait_max_ms),
    cache_hits = coalesce(s.cache_hits + excluded.cache_hits, excluded.cache_hits),
    cache_misses = coalesce(s.cache_misses + excluded.cache_misses, excluded.cache_misses),
    cache_entries = excluded.cache_entries,
    event_loop_p99_ms = greatest(s.event_loop_p99_ms, excluded.event_loop_p99_ms),
    memory_bytes = excluded.memory_bytes;
  insert into app_private.operation_sample as s
  select v_host, v_minute, left(o.operation, 100), sum(greatest(o.requests, 0)),
    sum(greatest(o.errors, 0)), sum(o.total), max(o.p95), max(o.max)
  from (
    select q.*
    from jsonb_to_recordset(coalesce(report -> 'operations', '[]')) q (
      operation text, requests integer, errors integer, total double precision, p95 real, max real
    )
    where q.operation <> ''
    limit 100
  ) o
  group by left(o.operation, 100)
  on conflict (host, minute, operation) do update set
    requests = s.requests + excluded.requests,
    errors = s.errors + excluded.errors,
    total_ms = s.total_ms + excluded.total_ms,
    p95_ms = greatest(s.p95_ms, excluded.p95_ms),
    max_ms = greatest(s.max_ms, excluded.max_ms);
  insert into app_private.slow_statement as s
    (statement_hash, plan_hash, statement, plan, operation, calls, total_ms, max_ms)
  select left(t.hash, 64), left(coalesce(t."planHash", ''), 64), left(min(t.statement), 20000),
    left(min(t.plan), 20000), left(min(t.operation), 100), sum(greatest(t.calls, 0)), sum(t.total),
    max(t.max)
  from (
    select q.*
    from jsonb_to_recordset(coalesce(report -> 'slowStatements', '[]')) q (
      hash text, "planHash" text, statement text, plan text, operation text, calls bigint,
      total double precision, max double precision
    )
    where q.hash <> '' and q.statement <> ''
    limit 50
  ) t
  group by 1, 2
  -- hosts report the same statements: always in one order
  order by 1, 2
  on conflict (statement_hash, plan_hash) do update set
    operation = coalesce(excluded.operation, s.operation),
    calls = s.calls + excluded.calls,
    total_ms = s.total_ms + excluded.total_ms,
    max_ms = greatest(s.max_ms, excluded.max_ms),
    last_seen_at = clock_timestamp();
end
$$;

comment on function app_hidden.report_host(jsonb) is
  'Keeps what a host measured in the last minute. OP025 for a report without a host, and beyond a '
  'hundred hosts in a minute.';

grant execute on function app_hidden.report_host(jsonb) to app_anonymous;
