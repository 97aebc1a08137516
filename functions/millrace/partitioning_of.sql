/*
 * What is declared about a table's partitions, so that a misspelt name is an error and not a silent
 * nothing.
 */
create or replace function millrace.partitioning_of(table_name text)
  returns millrace.partitioning
  language plpgsql
  stable
  set search_path to ''
as $$
declare
  v_relation constant regclass := millrace.relation(partitioning_of.table_name);
  v_p millrace.partitioning;
begin
  select p.* into v_p from millrace.partitioning p where p.relation = v_relation;
  if not found then
    raise exception 'The partitions of % are not declared', v_relation using
      errcode = 'MR046',
      detail = 'Only what millrace.partition_by_time was called for is kept up.',
      hint = 'select table_name from millrace.partition_status lists the tables that are.';
  end if;
  return v_p;
end
$$;

comment on function millrace.partitioning_of(text) is
  'The declaration of a table''s partitions; MR001 or MR046 if there is none.';
