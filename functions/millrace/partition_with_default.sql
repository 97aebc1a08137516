/*
 * The table of that name, if its partitions are declared and one of them is a default partition.
 */
create or replace function millrace.partition_with_default(table_name text)
  returns regclass
  language plpgsql
  stable
  set search_path to ''
as $$
declare
  v_p constant millrace.partitioning :=
    millrace.partitioning_of(partition_with_default.table_name);
begin
  if not exists (
    select from millrace.partition_bounds(v_p.relation) b where b.is_default
  ) then
    raise exception '% has no default partition', v_p.relation using
      errcode = 'MR047',
      detail = 'So no row of it is in a default partition.',
      hint = 'Nothing needs to be moved.';
  end if;
  return v_p.relation;
end
$$;

comment on function millrace.partition_with_default(text) is
  'The table of that name; MR046 or MR047 if it has no default partition that is looked after.';
