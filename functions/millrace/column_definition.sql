/*
 * The type of a column and, where it is not the type's own, its collation, as a table is made with
 * them.
 */
create or replace function millrace.column_definition(relation regclass, column_name name)
  returns text
  language sql
  stable
  set search_path to ''
return (
  select concat(format_type(a.atttypid, a.atttypmod),
    case when a.attcollation <> t.typcollation
      then format(' collate %I.%I', n.nspname, c.collname) end)
  from pg_catalog.pg_attribute a
  join pg_catalog.pg_type t on t.oid = a.atttypid
  left join pg_catalog.pg_collation c on c.oid = a.attcollation
  left join pg_catalog.pg_namespace n on n.oid = c.collnamespace
  where a.attrelid = column_definition.relation and a.attname = column_definition.column_name
    and a.attnum > 0 and not a.attisdropped
);

comment on function millrace.column_definition(regclass, name) is
  'The type and collation of a column, as SQL.';
