/*
 * Partitions by time: what is declared about each partitioned table, what its upkeep needs to
 * remember while a partition is being removed, and which derived values outlive removed rows.
 * Everything else is read from the catalog, so partitions that somebody makes, attaches or drops by
 * hand are taken as they are.
 */
create table millrace.partitioning (
  relation regclass primary key,
  column_name name not null,
  period interval not null,
  origin timestamptz not null,
  premake integer not null,
  retain interval,
  retention text not null,
  default_partition boolean not null,
  keep_derived boolean not null,
  lock_timeout interval not null,
  module text,
  stale_declaration boolean not null default false,
  declared_at timestamptz not null default clock_timestamp(),
  last_run_at timestamptz,
  failures integer not null default 0,
  last_error text,
  last_error_at timestamptz,
  constraint partitioning_retention_check check (retention in ('detach', 'drop')),
  constraint partitioning_premake_check check (premake > 0)
);

comment on table millrace.partitioning is
  'The tables whose partitions by time are made ahead and removed when they are old.';
comment on column millrace.partitioning.relation is 'The partitioned table.';
comment on column millrace.partitioning.column_name is 'The column that it is partitioned by.';
comment on column millrace.partitioning.period is
  'How long a partition is: whole months, or whole days; in UTC.';
comment on column millrace.partitioning.origin is
  'A moment at which a partition begins; the others begin whole periods before and after it.';
comment on column millrace.partitioning.premake is
  'How many partitions there are to be ahead of the current one.';
comment on column millrace.partitioning.retain is
  'Partitions whose end is longer ago are removed; null keeps all.';
comment on column millrace.partitioning.retention is
  'detach: a removed partition stays as a table of its own; drop: it goes with its rows.';
comment on column millrace.partitioning.default_partition is
  'Whether a default partition is made, for rows that no other takes.';
comment on column millrace.partitioning.keep_derived is
  'Whether what is derived from the rows outlives the removal of their partition.';
comment on column millrace.partitioning.lock_timeout is
  'How long the upkeep waits for a lock before it gives up until the next attempt.';
comment on column millrace.partitioning.module is 'The file of db/derived that declares it.';
comment on column millrace.partitioning.stale_declaration is
  'Its file is being applied again and has not declared it yet.';
comment on column millrace.partitioning.declared_at is 'When it was declared or last changed.';
comment on column millrace.partitioning.last_run_at is 'When its upkeep last ran.';
comment on column millrace.partitioning.failures is 'Runs in a row that could not do everything.';
comment on column millrace.partitioning.last_error is
  'What the last run could not do; null if it did everything.';
comment on column millrace.partitioning.last_error_at is 'When that was.';

create table millrace.partition_change (
  id bigint generated always as identity primary key,
  partition oid not null,
  changed_by xid8 not null,
  sign smallint not null,
  image jsonb not null
);

comment on table millrace.partition_change is
  'Changes of the rows of a partition that is being removed, since its images began to be logged: '
  'they are taken into account when it goes. Empty at other times.';
comment on column millrace.partition_change.id is 'Order of the changes, roughly.';
comment on column millrace.partition_change.partition is 'The partition.';
comment on column millrace.partition_change.changed_by is 'The transaction that changed the row.';
comment on column millrace.partition_change.sign is '-1 for the old image, +1 for the new one.';
comment on column millrace.partition_change.image is 'The row.';

create table millrace.partition_key (
  derivation bigint not null,
  partition oid not null,
  key jsonb not null,
  primary key (derivation, partition, key)
);

comment on table millrace.partition_key is
  'Keys of derived relations that rows of a partition touch, while it is being removed. Empty at '
  'other times.';
comment on column millrace.partition_key.derivation is 'The derived relation.';
comment on column millrace.partition_key.partition is 'The partition.';
comment on column millrace.partition_key.key is 'The key as a JSON array.';

create table millrace.partition_kept (
  name text primary key,
  kind text not null,
  target regclass not null,
  relation regclass not null,
  kept regclass not null,
  arguments jsonb not null,
  partitions integer not null default 0,
  kept_at timestamptz not null default clock_timestamp(),
  constraint partition_kept_kind_check check (kind in ('counter', 'materialize'))
);

comment on table millrace.partition_kept is
  'Derivations that hold what rows of removed partitions contributed: neither a recount nor a '
  'definition can find it any more, so it is kept, and belongs to the truth.';
comment on column millrace.partition_kept.name is 'The derivation.';
comment on column millrace.partition_kept.kind is 'counter or materialize.';
comment on column millrace.partition_kept.target is
  'The table of the derived column, or the derived relation, when the first was removed.';
comment on column millrace.partition_kept.relation is 'The table whose partitions were removed.';
comment on column millrace.partition_kept.kept is
  'The table of what is kept: contributions by key, or rows of the derived relation.';
comment on column millrace.partition_kept.arguments is
  'What of the declaration must not change while something is kept.';
comment on column millrace.partition_kept.partitions is 'How many partitions were removed.';
comment on column millrace.partition_kept.kept_at is 'When the last of them was removed.';

alter table millrace.run_log add column note text;

comment on column millrace.run_log.rows is
  'Log rows consumed; for partitions, rows logged as removed or moved.';
comment on column millrace.run_log.note is
  'What was done, where the kind does not say it: the step of the upkeep of partitions.';
