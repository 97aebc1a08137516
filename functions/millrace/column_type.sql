/*
 * The type of a column as SQL writes it, or null if there is no such column.
 */
create or replace function millrace.column_type(relation regclass, column_name name)
  returns text
  language sql
  stable
  set search_path to ''
return (
  select format_type(a.atttypid, a.atttypmod)
  from pg_catalog.pg_attribute a
  where a.attrelid = column_type.relation and a.attname = column_type.column_name
    and a.attnum > 0 and not a.attisdropped
);

comment on function millrace.column_type(regclass, name) is 'The type of a column, or null.';
