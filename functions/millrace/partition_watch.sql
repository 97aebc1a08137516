/*
 * Prepares the removal of a partition whose rows something is derived from, in a transaction of its
 * own: from its commit on, changes of its rows are noted. It waits for whoever is writing them.
 * Whatever becomes of the removal, notes do no harm; the next attempt goes on from here.
 */
create or replace function millrace.partition_watch(relation regclass, partition regclass)
  returns void
  language plpgsql
  volatile
  set search_path to ''
  set lock_timeout to 0
as $$
declare
  v_p millrace.partitioning;
  v_partition constant text := millrace.qualified_name(partition_watch.partition);
begin
  select p.* into v_p from millrace.partitioning p where p.relation = partition_watch.relation;
  perform set_config(
    'lock_timeout', (extract(epoch from v_p.lock_timeout) * 1000)::integer::text, true);
  if v_p.keep_derived then
    perform millrace.partition_prepare(v_p.relation);
  end if;
  perform millrace.lock_partitions(v_p.relation);
  execute format('lock table only %s in share update exclusive mode',
    millrace.qualified_name(v_p.relation));
  if exists (
    select from pg_catalog.pg_inherits i
    where i.inhrelid = partition_watch.partition and i.inhparent = v_p.relation
  ) and not exists (
    select from pg_catalog.pg_trigger t
    where t.tgrelid = partition_watch.partition and t.tgname = '_900_millrace_note_change'
  ) then
    execute format(
      E'create trigger _900_millrace_note_change\n'
      '  after insert or update or delete on %s\n'
      '  for each row execute function millrace.tg_partition__note_change(%L)',
      v_partition, partition_watch.partition::oid);
  end if;
end
$$;

comment on function millrace.partition_watch(regclass, regclass) is
  'Begins to note changes of a partition that is to be removed.';
