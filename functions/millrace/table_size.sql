/*
 * Bytes of tables with all of their partitions: a partitioned table itself has none.
 */
create or replace function millrace.table_size(variadic relations regclass[])
  returns bigint
  language sql
  stable
  set search_path to ''
return (
  select coalesce(sum(coalesce(
    -- no row for a table that has no part in partitioning
    (select sum(pg_table_size(t.relid)) from pg_partition_tree(r.relation) t),
    pg_table_size(r.relation)
  )), 0)::bigint
  from (select distinct u.relation from unnest(table_size.relations) u(relation)) r
);

comment on function millrace.table_size(regclass[]) is
  'Bytes of tables, with all of their partitions.';
