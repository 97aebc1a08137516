/*
 * Which rows belong to a range, in the form in which Postgres knows the bounds of a partition: a
 * check that says this lets it attach a table without reading it.
 */
create or replace function millrace.partition_condition(
  relation regclass, column_name name, from_time timestamptz, to_time timestamptz
)
  returns text
  language sql
  stable
  set search_path to ''
begin atomic
  select format('%1$I is not null and %1$I >= %2$s and %1$I < %3$s',
    partition_condition.column_name,
    millrace.partition_literal(partition_condition.from_time, t.type),
    millrace.partition_literal(partition_condition.to_time, t.type))
  from (
    select millrace.partition_column_type(
      partition_condition.relation, partition_condition.column_name) as type
  ) t;
end;

comment on function millrace.partition_condition(regclass, name, timestamptz, timestamptz) is
  'The rows of a range of time, as a condition.';
