/*
 * Removes a partition that is old: detaches it, and drops it where that is declared, after the logs
 * have been told about its rows, in one transaction: whatever is derived never speaks of another
 * state of the tables. Returns how many rows the logs got.
 *
 * Its rows are read (partition_append) before anything is locked that an application could wait
 * for, however many they are. Then the locks (partition_locks), for which several attempts are
 * made, because what was read would have to be read again; under them what changed meanwhile is
 * made up for, from the notes that partition_watch has begun to take; and the partition goes, which
 * takes milliseconds.
 *
 * Where derived relations keep rows, they are held still with the rest: what they store, with the
 * keys that wait, is then the whole truth, and most of it need not be computed.
 *
 * Before those locks share update exclusive ones on table and partition, for which only other
 * schema changes and vacuums wait; autovacuum gives way to them.
 */
create or replace function millrace.partition_remove(relation regclass, partition regclass)
  returns bigint
  language plpgsql
  volatile
  set search_path to ''
  set row_security to off
  set lock_timeout to 0
  set client_min_messages to warning
as $$
declare
  v_p millrace.partitioning;
  v_table constant text := millrace.qualified_name(partition_remove.relation);
  v_partition constant text := millrace.qualified_name(partition_remove.partition);
  v_readers text;
  v_append record;
  v_later record;
  v_relations bigint[];
begin
  select p.* into v_p from millrace.partitioning p where p.relation = partition_remove.relation;
  perform set_config(
    'lock_timeout', (extract(epoch from v_p.lock_timeout) * 1000)::integer::text, true);
  perform millrace.lock_partitions(partition_remove.relation);
  if not exists (
    select from pg_catalog.pg_inherits i
    where i.inhrelid = partition_remove.partition and i.inhparent = v_p.relation
  ) then
    -- somebody was faster
    return 0;
  end if;
  select
      coalesce(string_agg(format('%s %s', r.id, r.columns), ', ' order by r.id), ''),
      array_agg(r.id) filter (where r.kind = 'materialize' and v_p.keep_derived)
    into v_readers, v_relations
    from millrace.partition_readers(v_p.relation) r;
  v_append := millrace.partition_append(v_p.relation, partition_remove.partition);

  execute format('lock table only %s in share update exclusive mode', v_table);
  execute format('lock table only %s in share update exclusive mode', v_partition);
  for v_attempt in 1 .. 3 loop
    begin
      perform millrace.partition_locks(
        v_p.relation, v_p.lock_timeout, partition_remove.partition);
      perform millrace.partition_hold(v_relations);
      exit;
    exception when lock_not_available then
      -- the locks that it had are free again
      if v_attempt = 3 then
        raise;
      end if;
    end;
    perform pg_sleep(least(extract(epoch from v_p.lock_timeout), 1) * random());
  end loop;
  perform set_config('lock_timeout', '100', true);
  if v_readers <> (
    select coalesce(string_agg(format('%s %s', r.id, r.columns), ', ' order by r.id), '')
    from millrace.partition_readers(v_p.relation) r
  ) then
    raise exception 'Something was declared while % was being removed', v_partition using
      errcode = 'object_not_in_prerequisite_state',
      detail = 'It may be derived from its rows.',
      hint = 'Try again: call millrace.partition_run();';
  end if;

  for v_later in
    select * from jsonb_to_recordset(v_append.later) l(correction text, snapshot text, finish text)
  loop
    execute v_later.correction using v_later.snapshot::pg_snapshot;
    if v_later.finish is not null then
      execute v_later.finish;
    end if;
  end loop;
  execute format('alter table %s detach partition %s', v_table, v_partition);
  execute format('drop trigger if exists _900_millrace_note_change on %s', v_partition);
  delete from millrace.partition_change c where c.partition = partition_remove.partition;
  delete from millrace.partition_key k where k.partition = partition_remove.partition;
  update millrace.partition_kept k
    set partitions = k.partitions + 1, kept_at = clock_timestamp()
    from millrace.partition_readers(v_p.relation) r
    where v_p.keep_derived and k.name = r.name;
  if v_p.retention = 'detach' then
    execute format('comment on table %s is %L', v_partition, concat_ws(' ',
      obj_description(partition_remove.partition, 'pg_class'),
      format('Detached from %s at %s.', v_table, now() at time zone 'UTC')));
  elsif exists (
    select from pg_catalog.pg_foreign_table f where f.ftrelid = partition_remove.partition
  ) then
    execute format('drop foreign table %s', v_partition);
  else
    execute format('drop table %s', v_partition);
  end if;
  return v_append.rows;
end
$$;

comment on function millrace.partition_remove(regclass, regclass) is
  'Detaches or drops an old partition, after the logs have been told about its rows.';
