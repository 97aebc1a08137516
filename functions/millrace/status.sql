/*
 * What an operator looks at first: each derivation with its state, what is pending for it, what
 * waits for a job, and its last errors.
 */
create or replace view millrace.status as
select
  d.name,
  d.kind,
  d.strategy,
  d.state,
  millrace.qualified_name(d.target) as target,
  coalesce(
    millrace.qualified_name(d.source),
    (
      select string_agg(millrace.qualified_name(r.relation), ', ' order by r.relation)
      from millrace.reading r where r.id = d.id
    )
  ) as source,
  millrace.qualified_name(d.through) as through,
  coalesce(p.rows, 0) as pending_rows,
  coalesce(w.keys, 0) as waiting_keys,
  coalesce(clock_timestamp() - least(p.oldest, w.oldest), interval '0') as lag,
  p.drained_at as last_drained_at,
  coalesce(g.finished_at, r.finished_at) as last_run_at,
  r.running,
  d.last_reconciled_at,
  coalesce(d.last_error, f.last_error, r.last_error) as last_error,
  coalesce(d.last_error_at, f.last_error_at, r.dead_at) as last_error_at,
  d.failures,
  coalesce(f.keys, 0) as failed_keys,
  coalesce(r.dead, 0) as dead_keys,
  d.retry_at,
  d.module,
  d.declared_at
from millrace.derivation d
left join lateral (
  select sum(q.rows) as rows, min(q.oldest) as oldest, max(s.drained_at) as drained_at
  from millrace.reading x
  join millrace.source s on s.relation = x.relation
  cross join lateral millrace.pending_rows(s.log) q
  where x.id = d.id
) p on true
left join lateral (
  select count(*) as keys, min(q.first_at) as oldest
  from millrace.waiting(d.id) q where d.work is not null
) w on true
left join lateral (
  select count(*) as keys, max(q.last_error) as last_error, max(q.last_error_at) as last_error_at
  from millrace.failed_key q where q.derivation = d.id
) f on true
left join lateral (
  select
    max(q.finished_at) as finished_at,
    count(q.job_id) as running,
    max(q.last_error) as last_error,
    max(q.dead_at) as dead_at,
    count(q.dead_at) as dead
  from millrace.run q where q.derivation = d.id
) r on true
left join millrace.progress g on g.derivation = d.id;

comment on view millrace.status is
  'Every derivation: state, pending log rows, waiting keys, lag, last drain, last run, last error.';
comment on column millrace.status.name is
  'Schema, table and column of a counter, schema and name of a relation, name of a reaction.';
comment on column millrace.status.kind is 'counter, materialize or react.';
comment on column millrace.status.strategy is 'incremental or refresh, for relations.';
comment on column millrace.status.state is 'active, backfilling, paused or failed.';
comment on column millrace.status.target is
  'The table that holds the derived column, or the relation.';
comment on column millrace.status.source is 'The tables that it is derived from.';
comment on column millrace.status.through is 'The referenced table that key or filter look at.';
comment on column millrace.status.pending_rows is 'Rows in its logs that no drain has taken yet.';
comment on column millrace.status.waiting_keys is
  'Keys that wait for a job; 1 for a relation that is to be refreshed.';
comment on column millrace.status.lag is
  'Age of the oldest change that is pending or waits: how far the stored value is behind.';
comment on column millrace.status.last_drained_at is 'When a drain last took rows for it.';
comment on column millrace.status.last_run_at is 'When its job, or one of its jobs, last ended.';
comment on column millrace.status.running is 'Jobs that are queued, running or to be retried.';
comment on column millrace.status.last_reconciled_at is 'When it was last compared with a recount.';
comment on column millrace.status.last_error is 'Why it failed, if it did, or one of its keys.';
comment on column millrace.status.last_error_at is 'When it failed.';
comment on column millrace.status.failures is 'Failures in a row.';
comment on column millrace.status.failed_keys is
  'Keys whose definition raises an error; the others go on (millrace.failed_key).';
comment on column millrace.status.dead_keys is
  'Keys of a reaction whose job has used up its attempts (millrace.run).';
comment on column millrace.status.retry_at is 'When it will be tried again.';
comment on column millrace.status.module is 'The file of db/derived that declares it.';
comment on column millrace.status.declared_at is 'When it was declared or last changed.';
