/*
 * The type of the column that a table is partitioned by, which has to be the one that is declared.
 * Whatever else may be partitioned (by a list, by a hash, by several columns, by an expression) has
 * no calendar.
 */
create or replace function millrace.partition_column_type(relation regclass, column_name name)
  returns regtype
  language plpgsql
  stable
  set search_path to ''
as $$
declare
  v_table constant text := millrace.qualified_name(partition_column_type.relation);
  v_key record;
begin
  if millrace.column_type(
    partition_column_type.relation, partition_column_type.column_name) is null
  then
    raise exception '% has no column %', v_table, partition_column_type.column_name using
      errcode = 'MR002',
      detail = 'It is to be partitioned by the time in that column.',
      hint = 'Correct the name, or add the column.';
  end if;
  select p.partstrat, p.partnatts, a.attname, a.atttypid::regtype as type into v_key
    from pg_catalog.pg_partitioned_table p
    left join pg_catalog.pg_attribute a on a.attrelid = p.partrelid and a.attnum = p.partattrs[0]
    where p.partrelid = partition_column_type.relation;
  if not found then
    raise exception '% is not partitioned', v_table using
      errcode = 'MR040',
      detail = 'A table is partitioned when it is created; it cannot become so later.',
      hint = format(
        'Create it with "partition by range (%I)". If it holds rows: rename it, create the '
        'partitioned one under its name, attach the old one for the time until now '
        '(db/README.md, "Partitions by time").',
        partition_column_type.column_name);
  end if;
  if v_key.partstrat <> 'r' or v_key.partnatts <> 1 or v_key.attname is null then
    raise exception '% is not partitioned by range over one column', v_table using
      errcode = 'MR041',
      detail = format('It is partitioned by %s.',
        pg_get_partkeydef(partition_column_type.relation)),
      hint = format('Partition it by range (%I).', partition_column_type.column_name);
  end if;
  if v_key.attname <> partition_column_type.column_name then
    raise exception '% is partitioned by %, not by %',
      v_table, v_key.attname, partition_column_type.column_name using
      errcode = 'MR042',
      detail = format('It is partitioned by %s.',
        pg_get_partkeydef(partition_column_type.relation)),
      hint = format('Say column_name => %L.', v_key.attname);
  end if;
  if v_key.type not in ('timestamptz'::regtype, 'timestamp'::regtype, 'date'::regtype) then
    raise exception 'The column % of % is no time', v_key.attname, v_table using
      errcode = 'MR043',
      detail = format('Its type is %s.', v_key.type),
      hint = 'Use timestamptz, timestamp or date.';
  end if;
  return v_key.type;
end
$$;

comment on function millrace.partition_column_type(regclass, name) is
  'The type of the column that a table is partitioned by; MR002, MR040 to MR043 if it is not.';
