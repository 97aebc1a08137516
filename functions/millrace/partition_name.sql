/*
 * The name of a partition that begins at a moment: the table's, and as much of the moment (in UTC)
 * as is needed. A name that is taken, by a detached partition for example, gets a number.
 */
create or replace function millrace.partition_name(
  relation regclass, from_time timestamptz, period interval
)
  returns name
  language plpgsql
  stable
  set search_path to ''
  set timezone to 'UTC'
as $$
declare
  v_schema oid;
  v_stem text;
  v_name name;
begin
  select c.relnamespace, c.relname || '_' || case
      when partition_name.from_time is null then 'default'
      when partition_name.from_time = date_trunc('month', partition_name.from_time)
        and extract(day from partition_name.period) = 0
        then to_char(partition_name.from_time, 'YYYY_MM')
      when partition_name.from_time = date_trunc('day', partition_name.from_time)
        then to_char(partition_name.from_time, 'YYYY_MM_DD')
      when partition_name.from_time = date_trunc('second', partition_name.from_time)
        then to_char(partition_name.from_time, 'YYYY_MM_DD_HH24MISS')
      else to_char(partition_name.from_time, 'YYYY_MM_DD_HH24MISS_US')
    end
    into v_schema, v_stem
    from pg_catalog.pg_class c where c.oid = partition_name.relation;
  for v_number in 1 .. 10000 loop
    v_name := millrace.fitting_name(
      v_stem || case when v_number > 1 then '_' || v_number else '' end);
    exit when not exists (
      select from pg_catalog.pg_type t where t.typnamespace = v_schema and t.typname = v_name
      union all
      select from pg_catalog.pg_class c where c.relnamespace = v_schema and c.relname = v_name
    );
  end loop;
  return v_name;
end
$$;

comment on function millrace.partition_name(regclass, timestamptz, interval) is
  'A free name for the partition that begins at that moment; null is the default partition.';
