/*
 * The common table expression that open_log_sql reads: a statement looks once how far drains have
 * come, however many logs it reads.
 */
create or replace function millrace.undrained_sql()
  returns text
  language sql
  immutable
  set search_path to ''
return E'undrained as materialized (\n  select u.since from millrace.undrained u\n)';

comment on function millrace.undrained_sql() is
  'How far drains have emptied the logs, as a common table expression.';
