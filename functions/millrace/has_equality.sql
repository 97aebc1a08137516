/*
 * Whether values of a column can be compared: json, xml and points cannot.
 */
create or replace function millrace.has_equality(relation regclass, column_name name)
  returns boolean
  language sql
  stable
  set search_path to ''
return exists (
  select
  from pg_catalog.pg_attribute a
  join pg_catalog.pg_type t on t.oid = a.atttypid
  join pg_catalog.pg_opclass o on o.opcdefault and (
    o.opcintype = coalesce(nullif(t.typbasetype, 0), t.oid)
    or o.opcintype = 'anyenum'::regtype and t.typtype = 'e'
    or o.opcintype = 'anyarray'::regtype and t.typcategory = 'A'
    or o.opcintype = 'anyrange'::regtype and t.typtype = 'r'
    or o.opcintype = 'record'::regtype and t.typtype = 'c'
    or o.opcintype = 'text'::regtype and t.oid = 'varchar'::regtype
  )
  join pg_catalog.pg_am m on m.oid = o.opcmethod and m.amname in ('hash', 'btree')
  where a.attrelid = has_equality.relation and a.attname = has_equality.column_name
);

comment on function millrace.has_equality(regclass, name) is
  'Whether the type of a column has an equality.';
