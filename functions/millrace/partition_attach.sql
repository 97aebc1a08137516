/*
 * Attaches a table as a partition for a range, which its rows are known to be in by a check: so
 * Postgres does not read them. (create table … partition of would take an access exclusive lock on
 * the partitioned table; attach takes share update exclusive, which readers and writers do not
 * notice.) Then the check goes: the bounds say the same.
 *
 * The caller has the locks (partition_locks), and the table is not yet visible to anybody else.
 */
create or replace function millrace.partition_attach(
  relation regclass, partition regclass, from_time timestamptz, to_time timestamptz
)
  returns void
  language plpgsql
  volatile
  set search_path to ''
  set timezone to 'UTC'
  set datestyle to 'ISO, YMD'
as $$
declare
  v_table constant text := millrace.qualified_name(partition_attach.relation);
  v_partition constant text := millrace.qualified_name(partition_attach.partition);
  v_type regtype;
  v_index name;
begin
  if partition_attach.from_time is null then
    execute format('alter table %s attach partition %s default', v_table, v_partition);
  else
    select millrace.partition_column_type(p.relation, p.column_name) into v_type
      from millrace.partitioning p where p.relation = partition_attach.relation;
    execute format('alter table %s attach partition %s for values from (%s) to (%s)',
      v_table,
      v_partition,
      millrace.partition_literal(partition_attach.from_time, v_type),
      millrace.partition_literal(partition_attach.to_time, v_type));
    execute format('alter table %s drop constraint millrace_bounds_check', v_partition);
  end if;
  select c.relname into v_index
    from pg_catalog.pg_index whole
    join pg_catalog.pg_inherits h on h.inhparent = whole.indexrelid
    join pg_catalog.pg_index part
      on part.indexrelid = h.inhrelid and part.indrelid = partition_attach.partition
    join pg_catalog.pg_class c on c.oid = part.indexrelid
    where whole.indrelid = partition_attach.relation and whole.indisreplident;
  if v_index is not null then
    execute format('alter table %s replica identity using index %I', v_partition, v_index);
  end if;
  execute format('comment on table %s is %L', v_partition,
    case when partition_attach.from_time is null
      then format('Rows of %s that no other partition takes: to be none.', v_table)
      else format('Rows of %s from %s to %s.',
        v_table, partition_attach.from_time, partition_attach.to_time)
    end);
end
$$;

comment on function millrace.partition_attach(regclass, regclass, timestamptz, timestamptz) is
  'Attaches a new table as a partition; a null range makes it the default partition.';
