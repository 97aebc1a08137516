/*
 * Makes a partition and attaches it, in one transaction: nobody sees a part of it. Returns how many
 * rows came from the default partition: none, unless fill says that they shall be moved; without it
 * rows that are in the way are an error. from_time is null for the default partition itself.
 *
 * Locks: that of the upkeep; share update exclusive on the table, which keeps other schema changes
 * out; then those of partition_locks.
 */
create or replace function millrace.partition_create(
  relation regclass, from_time timestamptz, to_time timestamptz, fill boolean default false
)
  returns bigint
  language plpgsql
  volatile
  set search_path to ''
  set row_security to off
  set lock_timeout to 0
as $$
declare
  v_p millrace.partitioning;
  v_table constant text := millrace.qualified_name(partition_create.relation);
  v_is_default constant boolean := partition_create.from_time is null;
  v_default regclass;
  v_condition text;
  v_partition regclass;
  v_blocked boolean := false;
  v_rows bigint := 0;
begin
  select p.* into v_p from millrace.partitioning p where p.relation = partition_create.relation;
  perform set_config(
    'lock_timeout', (extract(epoch from v_p.lock_timeout) * 1000)::integer::text, true);
  perform millrace.lock_partitions(v_p.relation);
  execute format('lock table only %s in share update exclusive mode', v_table);
  if exists (
    select from millrace.partition_bounds(v_p.relation) b
    where case when v_is_default then b.is_default
      else b.from_time < partition_create.to_time and b.to_time > partition_create.from_time end
  ) then
    -- somebody was faster
    return 0;
  end if;
  perform millrace.partition_locks(v_p.relation, v_p.lock_timeout);
  perform set_config('lock_timeout', '100', true);

  v_partition := millrace.partition_table(v_p.relation, partition_create.from_time);
  if not v_is_default then
    v_condition := millrace.partition_condition(
      v_p.relation, v_p.column_name, partition_create.from_time, partition_create.to_time);
    execute format('alter table %s add constraint millrace_bounds_check check (%s)',
      millrace.qualified_name(v_partition), v_condition);
    select b.partition into v_default
      from millrace.partition_bounds(v_p.relation) b where b.is_default;
    if v_default is not null and partition_create.fill then
      v_rows := millrace.partition_fill(v_default, v_partition, v_condition);
    elsif v_default is not null then
      execute format('select exists (select from %s where %s)',
        millrace.qualified_name(v_default), v_condition)
        into v_blocked;
    end if;
  end if;
  if v_blocked then
    raise exception 'Rows of % stand in the way of a partition of %', v_default, v_table using
      errcode = 'MR047',
      detail = format('The default partition holds rows from %s to %s.',
        partition_create.from_time, partition_create.to_time),
      hint = format('call millrace.partition_move_default(%L);', v_table);
  end if;
  perform millrace.partition_attach(
    v_p.relation, v_partition, partition_create.from_time, partition_create.to_time);
  return v_rows;
end
$$;

comment on function millrace.partition_create(regclass, timestamptz, timestamptz, boolean) is
  'Makes and attaches the partition of a range; fill moves rows there from the default partition.';
