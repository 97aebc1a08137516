/*
 * Ends a detach that somebody began concurrently and that was interrupted, by a lock timeout for
 * example: until then no other partition can be detached. It waits for transactions that may still
 * see the partition.
 */
create or replace function millrace.partition_finalize(relation regclass, partition regclass)
  returns void
  language plpgsql
  volatile
  set search_path to ''
  set lock_timeout to 0
as $$
begin
  perform set_config(
      'lock_timeout', (extract(epoch from p.lock_timeout) * 1000)::integer::text, true)
    from millrace.partitioning p where p.relation = partition_finalize.relation;
  perform millrace.lock_partitions(partition_finalize.relation);
  execute format('lock table only %s in share update exclusive mode',
    millrace.qualified_name(partition_finalize.relation));
  if exists (
    select from pg_catalog.pg_inherits i
    where i.inhrelid = partition_finalize.partition and i.inhparent = partition_finalize.relation
      and i.inhdetachpending
  ) then
    execute format('alter table %s detach partition %s finalize',
      millrace.qualified_name(partition_finalize.relation),
      millrace.qualified_name(partition_finalize.partition));
  end if;
end
$$;

comment on function millrace.partition_finalize(regclass, regclass) is
  'Ends an interrupted detach.';
