/*
 * Logs a step of the upkeep.
 */
create or replace function millrace.partition_log(
  relation regclass, note text, started timestamptz, rows bigint, error text default null
)
  returns void
  language sql
  volatile
  set search_path to ''
begin atomic
  insert into millrace.run_log (kind, name, started_at, rows, note, error)
    values ('partition', millrace.qualified_name(partition_log.relation), partition_log.started,
      coalesce(partition_log.rows, 0), partition_log.note, partition_log.error);
end;

comment on function millrace.partition_log(regclass, text, timestamptz, bigint, text) is
  'Logs a step of the upkeep of partitions.';
