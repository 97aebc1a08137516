/*
 * Rows in default partitions, counted up to 10,000 each: they keep the partition that they belong
 * to from being made. Of every table partitioned by range that may be read, whoever keeps its
 * partitions; by list a default partition is for what has none of its own, and rows in it are no
 * fault: pg-boss keeps its jobs in one.
 */
create or replace function app_private.default_partition_rows(
  out relation text, out rows bigint
)
  returns setof record
  language plpgsql
  stable
  set search_path to ''
as $$
declare
  v_partition regclass;
begin
  for v_partition in
    select p.partdefid::regclass
    from pg_catalog.pg_partitioned_table p
    where p.partdefid <> 0 and p.partstrat = 'r'
      and pg_catalog.has_table_privilege(p.partdefid, 'select')
  loop
    execute format('select count(*) from (select from %s limit 10000) q', v_partition)
      into default_partition_rows.rows;
    relation := v_partition::text;
    return next;
  end loop;
end
$$;

comment on function app_private.default_partition_rows() is
  'Default partitions of ranges, and the rows in each, counted up to 10,000.';
