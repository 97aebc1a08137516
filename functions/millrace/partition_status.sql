/*
 * What an operator looks at: how far ahead each table's partitions reach, and what is wrong.
 */
create or replace view millrace.partition_status as
select
  millrace.qualified_name(p.relation) as table_name,
  p.column_name,
  p.period,
  p.premake,
  p.retain,
  p.retention,
  p.keep_derived,
  s.partitions,
  s.ahead,
  s.oldest,
  s.newest,
  s.default_partition,
  s.default_rows,
  s.alarm,
  s.next_at,
  p.last_run_at,
  p.failures,
  p.last_error,
  p.last_error_at,
  p.module,
  p.declared_at
from millrace.partitioning p
join pg_catalog.pg_class c on c.oid = p.relation
cross join lateral millrace.partition_state(p.relation, clock_timestamp()) s;

comment on view millrace.partition_status is
  'Every table whose partitions are kept up: how far ahead they reach, what is wrong, the last '
  'run.';
comment on column millrace.partition_status.table_name is 'The partitioned table.';
comment on column millrace.partition_status.column_name is 'The column that it is partitioned by.';
comment on column millrace.partition_status.period is 'How long a partition is.';
comment on column millrace.partition_status.premake is 'How many are to be ahead.';
comment on column millrace.partition_status.retain is
  'How long a partition is kept; null for ever.';
comment on column millrace.partition_status.retention is
  'What becomes of an old one: detach or drop.';
comment on column millrace.partition_status.keep_derived is
  'Whether what is derived outlives the rows.';
comment on column millrace.partition_status.partitions is
  'How many partitions there are, without the default one.';
comment on column millrace.partition_status.ahead is
  'How many whole periods after the current one have their partition, without a gap.';
comment on column millrace.partition_status.oldest is 'Where the oldest partition begins.';
comment on column millrace.partition_status.newest is 'Where the newest partition ends.';
comment on column millrace.partition_status.default_partition is 'The default partition, if any.';
comment on column millrace.partition_status.default_rows is
  'Rows in it, counted up to 10,000: to be none.';
comment on column millrace.partition_status.alarm is 'What is wrong; null if nothing is.';
comment on column millrace.partition_status.next_at is
  'When the next step is due; a moment that has come where something is to be done now.';
comment on column millrace.partition_status.last_run_at is 'When the upkeep last ran.';
comment on column millrace.partition_status.failures is
  'Runs in a row that could not do everything.';
comment on column millrace.partition_status.last_error is 'What the last run could not do.';
comment on column millrace.partition_status.last_error_at is 'When something last went wrong.';
comment on column millrace.partition_status.module is 'The file of db/derived that declares it.';
comment on column millrace.partition_status.declared_at is 'When it was declared or last changed.';
