/*
 * The engine's own tables. Everything it generates (logs, views, trigger functions) lives in
 * millrace_log, so that this schema holds only what a person wrote.
 */
create schema millrace;
create schema millrace_log;

comment on schema millrace is
  'The engine: derived data is declared here once and kept fresh by millrace.tick().';
comment on schema millrace_log is
  'What the engine generates: one append-only log per source table, the views of the delta rule, '
  'trigger functions.';

create table millrace.source (
  relation regclass primary key,
  log regclass not null,
  columns name[] not null,
  drained_at timestamptz,
  drained_rows bigint not null default 0
) with (fillfactor = 50);

comment on table millrace.source is
  'A table whose changes are logged because something is derived from it.';
comment on column millrace.source.relation is 'The source table.';
comment on column millrace.source.log is 'Its append-only log in schema millrace_log.';
comment on column millrace.source.columns is
  'The columns that a log row copies from the changed row.';
comment on column millrace.source.drained_at is 'When a drain last consumed rows of this log.';
comment on column millrace.source.drained_rows is
  'Log rows consumed since the tick last asked for a vacuum of the log.';

create table millrace.stem (
  relation regclass primary key,
  stem text not null,
  constraint stem_stem_key unique (stem)
);

comment on table millrace.stem is
  'The name under which the engine knows a table in the names of what it generates, whatever '
  'becomes of the table.';
comment on column millrace.stem.relation is 'The table.';
comment on column millrace.stem.stem is 'schema__table when it was first declared.';

create table millrace.derivation (
  id bigint generated always as identity primary key,
  name text not null,
  kind text not null,
  target regclass not null,
  target_column name not null,
  target_key name[] not null,
  source regclass not null references millrace.source (relation),
  through regclass references millrace.source (relation),
  source_key name[],
  through_key name[],
  key text[] not null,
  members text[],
  filter text not null,
  value text not null,
  source_columns name[] not null,
  through_columns name[] not null,
  guarded boolean not null,
  arguments jsonb not null,
  module text,
  stale_declaration boolean not null default false,
  state text not null default 'backfilling',
  backfill_after text[],
  failures integer not null default 0,
  last_error text,
  last_error_at timestamptz,
  retry_at timestamptz,
  last_reconciled_at timestamptz,
  declared_at timestamptz not null default clock_timestamp(),
  constraint derivation_kind_check check (kind = 'counter'),
  constraint derivation_state_check check (state in ('active', 'backfilling', 'paused', 'failed')),
  constraint derivation_name_key unique (name),
  constraint derivation_target_column_key unique (target, target_column)
);
create index derivation_source_idx on millrace.derivation (source);
create index derivation_through_idx on millrace.derivation (through);

comment on table millrace.derivation is
  'Everything that is declared to be derived from ordinary rows.';
comment on column millrace.derivation.id is
  'Identifies this declaration; a changed one gets another.';
comment on column millrace.derivation.name is 'Schema, table and column of what is maintained.';
comment on column millrace.derivation.kind is 'counter: a maintained count, sum or distinct count.';
comment on column millrace.derivation.target is 'The table that holds the derived column.';
comment on column millrace.derivation.target_column is 'The derived column.';
comment on column millrace.derivation.target_key is 'The primary key of the target.';
comment on column millrace.derivation.source is 'The table whose rows are counted.';
comment on column millrace.derivation.through is
  'The table one foreign key further that key or filter look at.';
comment on column millrace.derivation.source_key is 'The columns of source that reference through.';
comment on column millrace.derivation.through_key is 'The columns of through that they reference.';
comment on column millrace.derivation.key is
  'Where each column of the target''s key comes from: source.<column> or via.<column>.';
comment on column millrace.derivation.members is
  'What is counted once per key: source.<column> or via.<column>.';
comment on column millrace.derivation.filter is 'Which rows count: SQL over source and via.';
comment on column millrace.derivation.value is
  'What a row adds: SQL over source and via; 1 for a count.';
comment on column millrace.derivation.source_columns is
  'The columns of source that the declaration reads.';
comment on column millrace.derivation.through_columns is
  'The columns of through that the declaration reads.';
comment on column millrace.derivation.guarded is
  'Foreign keys make sure that a target row exists before any row that counts for it.';
comment on column millrace.derivation.arguments is
  'The declaration as it was written, to see whether it changed.';
comment on column millrace.derivation.module is 'The file of db/derived that declares it.';
comment on column millrace.derivation.stale_declaration is
  'Its file is being applied again and has not declared it yet.';
comment on column millrace.derivation.state is
  'active; backfilling: being counted for the first time, or again; paused; failed: its SQL '
  'raised an error. Exact reads recount in every state but active.';
comment on column millrace.derivation.backfill_after is 'The last key that the backfill has done.';
comment on column millrace.derivation.failures is
  'Failures in a row; the wait before a retry doubles with each.';
comment on column millrace.derivation.last_error is 'The last error of its SQL.';
comment on column millrace.derivation.last_error_at is 'When the last error happened.';
comment on column millrace.derivation.retry_at is 'When a failed derivation is tried again.';
comment on column millrace.derivation.last_reconciled_at is
  'When all of its keys were last compared with a recount.';
comment on column millrace.derivation.declared_at is 'When it was declared or last changed.';

create table millrace.drain_plan (
  pending regclass[] primary key,
  names text[] not null,
  unread text[] not null,
  recounted text,
  statement text,
  routine text
);

comment on table millrace.drain_plan is 'The drain functions that were generated for sets of logs.';
comment on column millrace.drain_plan.pending is 'The logs that hold rows.';
comment on column millrace.drain_plan.names is 'The derivations that a drain of them serves.';
comment on column millrace.drain_plan.unread is
  'Those of the logs that nobody reads: they are emptied.';
comment on column millrace.drain_plan.recounted is
  'The tables that a recount of noted keys reads, for SQL; null if none is noted.';
comment on column millrace.drain_plan.statement is 'Its statement; null if nobody is to be served.';
comment on column millrace.drain_plan.routine is 'The generated function.';

create table millrace.generation (
  id boolean primary key default true,
  number bigint not null default 0,
  constraint generation_id_check check (id)
) with (fillfactor = 10);
insert into millrace.generation default values;

comment on table millrace.generation is
  'Counts the engine''s runs. Each run updates the one row, so that one whose snapshot is older '
  'than another''s commit (a repeatable read transaction) fails with a serialization error '
  'instead of counting twice.';
comment on column millrace.generation.id is 'Always true: there is one row.';
comment on column millrace.generation.number is 'How many runs there were.';

create table millrace.host (
  id text primary key,
  seen_at timestamptz not null
) with (fillfactor = 50);

comment on table millrace.host is 'The worker pools that are alive.';
comment on column millrace.host.id is 'The pool''s id, by which graphile_worker locks its jobs.';
comment on column millrace.host.seen_at is 'Its last heartbeat.';

create table millrace.run_log (
  id bigint generated always as identity primary key,
  kind text not null,
  name text,
  started_at timestamptz not null,
  finished_at timestamptz not null default clock_timestamp(),
  rows bigint not null default 0,
  keys bigint not null default 0,
  error text,
  constraint run_log_kind_check check (kind in ('drain', 'backfill', 'reconcile', 'failure'))
);
create index run_log_finished_at_idx on millrace.run_log (finished_at);

comment on table millrace.run_log is
  'What the engine did: drains that found something, backfills, reconciles, failures.';
comment on column millrace.run_log.kind is 'drain, backfill, reconcile or failure.';
comment on column millrace.run_log.name is 'The derivation, or null where a run serves all.';
comment on column millrace.run_log.started_at is 'When the run began.';
comment on column millrace.run_log.finished_at is 'When the run ended.';
comment on column millrace.run_log.rows is 'Log rows consumed.';
comment on column millrace.run_log.keys is
  'Target rows written (drain) or compared (backfill, reconcile).';
comment on column millrace.run_log.error is 'The error of a failure.';

create table millrace.drift_log (
  id bigint generated always as identity primary key,
  name text not null,
  found_at timestamptz not null default clock_timestamp(),
  keys_checked bigint not null,
  keys_drifted bigint not null,
  drift numeric not null,
  repaired boolean not null,
  cause text not null,
  examples jsonb not null
);
create index drift_log_name_idx on millrace.drift_log (name, found_at);

comment on table millrace.drift_log is
  'Drift that reconcile found: never routine, always a bug or a write that fired no trigger.';
comment on column millrace.drift_log.name is 'The derivation.';
comment on column millrace.drift_log.found_at is 'When the drift was found.';
comment on column millrace.drift_log.keys_checked is 'Keys compared by the run.';
comment on column millrace.drift_log.keys_drifted is 'Keys whose value differed from a recount.';
comment on column millrace.drift_log.drift is 'Sum of the absolute differences.';
comment on column millrace.drift_log.repaired is
  'Whether the run added the difference to the stored values.';
comment on column millrace.drift_log.cause is 'The likely cause.';
comment on column millrace.drift_log.examples is
  'Up to five keys with their exact value and the recount.';

create table millrace.direct_write (
  id bigint generated always as identity primary key,
  target regclass not null,
  target_column name not null,
  written_at timestamptz not null default clock_timestamp(),
  written_by name not null default session_user
);
create index direct_write_target_idx on millrace.direct_write (target, target_column, written_at);

comment on table millrace.direct_write is
  'Statements other than the engine''s that wrote a derived column: evidence for reconcile, which'
  ' names them.';
comment on column millrace.direct_write.target is 'The table whose derived column was written.';
comment on column millrace.direct_write.target_column is 'The derived column.';
comment on column millrace.direct_write.written_at is 'When.';
comment on column millrace.direct_write.written_by is 'The login that wrote.';

create type millrace.reconciliation as (
  name text,
  keys_checked bigint,
  keys_drifted bigint,
  drift numeric,
  repaired boolean,
  cause text,
  examples jsonb
);

comment on type millrace.reconciliation is
  'What a reconcile found for one derivation: keys compared, keys that differ, the sum of the '
  'absolute differences, whether they were repaired, the likely cause, and up to five examples.';
