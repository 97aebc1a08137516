/*
 * Schema and name, quoted: what regclass prints depends on the search_path, and generated SQL must
 * not.
 */
create or replace function millrace.qualified_name(relation regclass)
  returns text
  language sql
  stable
  set search_path to ''
return (
  select format('%I.%I', n.nspname, c.relname)
  from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where c.oid = qualified_name.relation
);

comment on function millrace.qualified_name(regclass) is
  'The table''s name with its schema, quoted for SQL.';
