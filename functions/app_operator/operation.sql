/*
 * GraphQL operations of the last hour, those first that took most of the hosts' time.
 */
create or replace view app_operator.operation as
select
  s.operation as name,
  sum(s.requests)::bigint as requests,
  sum(s.errors)::bigint as errors,
  sum(s.total_ms) as total_ms,
  sum(s.total_ms) / nullif(sum(s.requests), 0) as mean_ms,
  max(s.p95_ms)::double precision as worst_p95_ms,
  max(s.max_ms)::double precision as max_ms
from app_private.operation_sample s
where s.minute > clock_timestamp() - interval '1 hour'
group by s.operation
order by sum(s.total_ms) desc, s.operation;

comment on view app_operator.operation is
  'GraphQL operations of the last hour, as the hosts measured them; the slowest in all first.';
comment on column app_operator.operation.name is
  'Its name; (unnamed) without one, (other) beyond the first hundred of a host.';
comment on column app_operator.operation.requests is 'Requests.';
comment on column app_operator.operation.errors is
  'Those that failed by no fault of the client.';
comment on column app_operator.operation.total_ms is 'Their duration in all.';
comment on column app_operator.operation.mean_ms is 'Their mean duration.';
comment on column app_operator.operation.worst_p95_ms is
  'Their duration, 95th percentile of the worst minute of a host.';
comment on column app_operator.operation.max_ms is 'The longest.';

grant select on app_operator.operation to app_operator;
