/*
 * Bytes of tables with all of their partitions: a partitioned table itself has none.
 */
create or replace function millrace.table_size(variadic relations regclass[])
  returns bigint
  language sql
  stable
  set search_path to ''
return (
  select coalesce(sum(pg_table_size(t.relid)), 0)::bigint
  from (select distinct r.relation from unnest(table_size.relations) r(relation)) r
  cross join lateral pg_partition_tree(r.relation) t
);

comment on function millrace.table_size(regclass[]) is
  'Bytes of tables, with all of their partitions.';
