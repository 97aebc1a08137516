/*
 * Whether anything derived depends on the rows of a partitioned table, or is kept in them: then
 * partitions cannot just go.
 */
create or replace function millrace.partition_is_derived(relation regclass)
  returns boolean
  language sql
  stable
  set search_path to ''
return exists (
  select
  from pg_catalog.pg_partition_ancestors(partition_is_derived.relation) a
  where exists (select from millrace.source s where s.relation = a.relid)
    or exists (select from millrace.derivation d where d.kind = 'counter' and d.target = a.relid)
);

comment on function millrace.partition_is_derived(regclass) is
  'Whether something is derived from the rows of a partitioned table, or kept in them.';
