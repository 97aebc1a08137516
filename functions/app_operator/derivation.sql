/*
 * Every derivation: millrace.status for the operator's API.
 */
create or replace view app_operator.derivation as
select s.name, s.kind, s.strategy, s.state, s.target, s.source, s.pending_rows::bigint,
  s.waiting_keys, extract(epoch from s.lag)::double precision as staleness_seconds,
  s.last_drained_at, s.last_run_at, s.last_reconciled_at, s.failures, s.failed_keys, s.dead_keys,
  s.last_error, s.last_error_at, s.retry_at, s.module
from app_private.derivation_status() s
order by s.name;

comment on view app_operator.derivation is
  'Everything that is derived: its state, what is pending or waits, its last run and error.';
comment on column app_operator.derivation.name is
  'Schema, table and column of a counter, schema and name of a relation, name of a reaction.';
comment on column app_operator.derivation.kind is 'counter, materialize or react.';
comment on column app_operator.derivation.strategy is 'incremental or refresh, of a relation.';
comment on column app_operator.derivation.state is 'active, backfilling, paused or failed.';
comment on column app_operator.derivation.target is 'What holds the derived values.';
comment on column app_operator.derivation.source is 'What it is derived from.';
comment on column app_operator.derivation.pending_rows is 'Log rows that no drain has taken yet.';
comment on column app_operator.derivation.waiting_keys is 'Keys that wait for a job.';
comment on column app_operator.derivation.staleness_seconds is
  'Age of the oldest change that is pending or waits.';
comment on column app_operator.derivation.last_drained_at is 'When a drain last took rows for it.';
comment on column app_operator.derivation.last_run_at is 'When its job last ended.';
comment on column app_operator.derivation.last_reconciled_at is
  'When all of it was last compared with a recount.';
comment on column app_operator.derivation.failures is 'Failures in a row.';
comment on column app_operator.derivation.failed_keys is 'Keys whose SQL raises an error.';
comment on column app_operator.derivation.dead_keys is 'Keys whose job has used up its attempts.';
comment on column app_operator.derivation.last_error is 'Why it failed.';
comment on column app_operator.derivation.last_error_at is 'When.';
comment on column app_operator.derivation.retry_at is 'When it is tried again.';
comment on column app_operator.derivation.module is 'The file of db/derived that declares it.';

grant select on app_operator.derivation to app_operator;
