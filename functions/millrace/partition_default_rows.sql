/*
 * How many rows a default partition holds, counted up to a limit: for people, and for alarms.
 */
create or replace function millrace.partition_default_rows(
  relation regclass, at_most bigint default 10000
)
  returns bigint
  language plpgsql
  stable
  set search_path to ''
  set row_security to off
as $$
declare
  v_default text;
  v_rows bigint;
begin
  select millrace.qualified_name(b.partition) into v_default
    from millrace.partition_bounds(partition_default_rows.relation) b where b.is_default;
  if v_default is null then
    return null;
  end if;
  execute format('select count(*) from (select from %s limit $1) r', v_default)
    into v_rows
    using partition_default_rows.at_most;
  return v_rows;
end
$$;

comment on function millrace.partition_default_rows(regclass, bigint) is
  'Rows in the default partition of a table, at most so many; null without a default partition.';
