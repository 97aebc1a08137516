/*
 * The derivations that read a partitioned table, or one that it is a partition of.
 */
create or replace function millrace.partition_readers(relation regclass)
  returns setof millrace.reading
  language sql
  stable
  set search_path to ''
begin atomic
  select r.*
  from millrace.reading r
  join pg_catalog.pg_partition_ancestors(partition_readers.relation) a on a.relid = r.relation;
end;

comment on function millrace.partition_readers(regclass) is
  'The derivations that read a partitioned table.';
