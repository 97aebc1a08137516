/*
 * The first half of a removal: runs what partition_removal_sql says about the rows that the
 * partition has now, and returns what is left to be done under its lock, as [{"correction",
 * "snapshot", "finish"}]. Nobody waits for it but the upkeep of the same table.
 */
create or replace function millrace.partition_append(
  relation regclass, partition regclass, out rows bigint, out later jsonb
)
  language plpgsql
  volatile
  set search_path to ''
  set row_security to off
as $$
declare
  v_partition constant text := millrace.qualified_name(partition_append.partition);
  v_statement record;
  v_appended bigint;
  v_snapshot pg_snapshot;
  v_reason text;
begin
  rows := 0;
  later := '[]';
  if not millrace.partition_is_derived(partition_append.relation) then
    return;
  end if;
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception '% can only be removed in read committed', v_partition using
      errcode = 'MR020',
      detail = 'In this isolation level the transaction may not see all rows that it removes.',
      hint = 'set default_transaction_isolation to ''read committed'';';
  end if;
  if not exists (
    select from pg_catalog.pg_trigger t
    where t.tgrelid = partition_append.partition and t.tgname = '_900_millrace_note_change'
  ) then
    raise exception 'Changes of % are not being noted', v_partition using
      errcode = 'object_not_in_prerequisite_state',
      detail = 'Something was declared to be derived from its rows just now.',
      hint = 'Try again: call millrace.partition_run();';
  end if;
  for v_statement in
    select r.append, r.condition, r.correction, r.finish
    from millrace.partition_removal_sql(
      partition_append.relation, partition_append.partition) r
  loop
    execute v_statement.append into v_appended, v_snapshot;
    rows := rows + v_appended;
    later := later || jsonb_build_object(
      'correction', v_statement.correction, 'snapshot', v_snapshot, 'finish', v_statement.finish);
    if v_statement.condition is not null then
      execute v_statement.condition into v_reason;
    end if;
    if v_reason is not null then
      raise exception '% cannot go while what is derived is to stay: %', v_partition, v_reason
        using
        errcode = 'MR048',
        detail = 'A kept row stands still, so its key must have no rows in partitions that are '
          'written.',
        hint = 'Let the key contain the day, or let the relation follow the rows: '
          'keep_derived => false.';
    end if;
  end loop;
end
$$;

comment on function millrace.partition_append(regclass, regclass) is
  'Tells the logs about the rows of a partition that is to go; what is left to be done then.';
