/*
 * The columns of a table's primary key in the key's own order, or null.
 */
create or replace function millrace.primary_key(relation regclass)
  returns name[]
  language sql
  stable
  set search_path to ''
return (
  select array_agg(a.attname order by k.position)
  from pg_catalog.pg_constraint c
  cross join unnest(c.conkey) with ordinality k(attnum, position)
  join pg_catalog.pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.attnum
  where c.conrelid = primary_key.relation and c.contype = 'p'
);

comment on function millrace.primary_key(regclass) is 'The columns of the primary key, or null.';
