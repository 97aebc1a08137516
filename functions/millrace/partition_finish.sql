/*
 * Notes how the upkeep of a table ended.
 */
create or replace function millrace.partition_finish(relation regclass, error text)
  returns void
  language sql
  volatile
  set search_path to ''
begin atomic
  update millrace.partitioning p
  set last_run_at = clock_timestamp(),
    failures = case when partition_finish.error is null then 0 else p.failures + 1 end,
    last_error = partition_finish.error,
    last_error_at = case when partition_finish.error is null then p.last_error_at
      else clock_timestamp() end
  where p.relation = partition_finish.relation;
end;

comment on function millrace.partition_finish(regclass, text) is
  'Notes how the upkeep of a table''s partitions ended.';
