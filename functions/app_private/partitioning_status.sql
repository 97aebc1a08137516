/*
 * millrace.partition_status for the operator, who may not read the tables.
 */
create or replace function app_private.partitioning_status()
  returns setof millrace.partition_status
  language sql
  stable
  security definer
  set search_path to ''
begin atomic
  select s.* from millrace.partition_status s;
end;

comment on function app_private.partitioning_status() is
  'millrace.partition_status, for the operator.';

grant execute on function app_private.partitioning_status() to app_operator;
