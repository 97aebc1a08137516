/*
 * What an operator looks at first: each derivation with its state, what is pending for it, and its
 * last errors.
 */
create or replace view millrace.status as
select
  d.name,
  d.kind,
  d.state,
  millrace.qualified_name(d.target) as target,
  millrace.qualified_name(d.source) as source,
  millrace.qualified_name(d.through) as through,
  coalesce(p.rows, 0) + coalesce(v.rows, 0) as pending_rows,
  coalesce(clock_timestamp() - least(p.oldest, v.oldest), interval '0') as lag,
  greatest(s.drained_at, t.drained_at) as last_drained_at,
  d.last_reconciled_at,
  d.last_error,
  d.last_error_at,
  d.failures,
  d.retry_at,
  d.module,
  d.declared_at
from millrace.derivation d
join millrace.source s on s.relation = d.source
left join millrace.source t on t.relation = d.through
cross join lateral millrace.pending_rows(s.log) p
left join lateral millrace.pending_rows(t.log) v on t.log is not null;

comment on view millrace.status is
  'Every derivation: state, pending log rows, lag, last drain, last reconcile, last error.';
comment on column millrace.status.name is 'Schema, table and column of what is maintained.';
comment on column millrace.status.kind is 'What kind of derivation it is.';
comment on column millrace.status.state is 'active, backfilling, paused or failed.';
comment on column millrace.status.target is 'The table that holds the derived column.';
comment on column millrace.status.source is 'The table that it is derived from.';
comment on column millrace.status.through is 'The referenced table that key or filter look at.';
comment on column millrace.status.pending_rows is 'Rows in its logs that no drain has taken yet.';
comment on column millrace.status.lag is
  'Age of the oldest of them: how far the stored value is behind the exact one.';
comment on column millrace.status.last_drained_at is 'When a drain last took rows for it.';
comment on column millrace.status.last_reconciled_at is 'When it was last compared with a recount.';
comment on column millrace.status.last_error is 'Why it failed, if it did.';
comment on column millrace.status.last_error_at is 'When it failed.';
comment on column millrace.status.failures is 'Failures in a row.';
comment on column millrace.status.retry_at is 'When it will be tried again.';
comment on column millrace.status.module is 'The file of db/derived that declares it.';
comment on column millrace.status.declared_at is 'When it was declared or last changed.';
