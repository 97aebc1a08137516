/*
 * Ends the upkeep of a table's partitions. The partitions stay as they are, and so does what is
 * kept of rows that were removed.
 */
create or replace function millrace.drop_partitioning(table_name text)
  returns void
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_p constant millrace.partitioning := millrace.partitioning_of(drop_partitioning.table_name);
  v_partition text;
begin
  for v_partition in
    select millrace.qualified_name(t.tgrelid)
    from pg_catalog.pg_trigger t
    join pg_catalog.pg_inherits i on i.inhrelid = t.tgrelid and i.inhparent = v_p.relation
    where t.tgname = '_900_millrace_note_change' and t.tgparentid = 0
  loop
    execute format('drop trigger _900_millrace_note_change on %s', v_partition);
  end loop;
  delete from millrace.partition_change c
    using pg_catalog.pg_inherits i
    where i.inhrelid = c.partition and i.inhparent = v_p.relation;
  delete from millrace.partitioning p where p.relation = v_p.relation;
end
$$;

comment on function millrace.drop_partitioning(text) is
  'Ends the upkeep of a table''s partitions, which stay. MR001 or MR046 if it is not declared.';
