/*
 * A qualified column (source.<column>, via.<column>) as SQL.
 */
create or replace function millrace.column_sql(qualified text)
  returns text
  language sql
  immutable
  set search_path to ''
return format('%s.%I', split_part(column_sql.qualified, '.', 1),
  substr(column_sql.qualified, strpos(column_sql.qualified, '.') + 1));

comment on function millrace.column_sql(text) is 'A qualified column of a declaration as SQL.';
