/*
 * The hosts of the API that reported in the last five minutes.
 */
create or replace view app_operator.host as
select distinct on (s.host)
  s.host as name,
  s.minute as reported_at,
  s.requests,
  s.errors,
  s.request_p95_ms::double precision,
  s.statement_p95_ms::double precision,
  s.pool_size,
  s.pool_used_max,
  s.pool_waits,
  s.pool_wait_max_ms::double precision,
  100.0 * s.cache_hits / nullif(s.cache_hits + s.cache_misses, 0) as cache_hit_percent,
  s.cache_entries,
  s.event_loop_p99_ms::double precision,
  s.memory_bytes
from app_private.host_sample s
where s.minute > clock_timestamp() - interval '5 minutes'
order by s.host, s.minute desc;

comment on view app_operator.host is
  'The hosts of the API, with what each measured in its last minute.';
comment on column app_operator.host.name is 'Name and process.';
comment on column app_operator.host.reported_at is 'The minute.';
comment on column app_operator.host.requests is 'GraphQL requests.';
comment on column app_operator.host.errors is 'Those that failed by no fault of the client.';
comment on column app_operator.host.request_p95_ms is 'Their duration, 95th percentile.';
comment on column app_operator.host.statement_p95_ms is
  'Duration of its statements, 95th percentile.';
comment on column app_operator.host.pool_size is 'Connections that its pools may have.';
comment on column app_operator.host.pool_used_max is 'The most in use at once.';
comment on column app_operator.host.pool_waits is 'Requests that waited for a connection.';
comment on column app_operator.host.pool_wait_max_ms is 'The longest wait.';
comment on column app_operator.host.cache_hit_percent is
  'Responses from the cache, of those that could have been.';
comment on column app_operator.host.cache_entries is 'Responses in the cache.';
comment on column app_operator.host.event_loop_p99_ms is
  'How late its timers were, 99th percentile.';
comment on column app_operator.host.memory_bytes is 'Its resident memory.';

grant select on app_operator.host to app_operator;
