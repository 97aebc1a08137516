/*
 * The name of a generated object: schema__table, with a suffix for what it is. Names over Postgres' 63 bytes are cut
 * and made unique by a hash, so that two long names never meet.
 */
create or replace function millrace.generated_name(relation regclass, suffix text default '')
  returns name
  language sql
  stable
  set search_path to ''
return (
  select case
    when octet_length(full_name) <= 63 then full_name
    else concat(
      left(full_name, 40), '_', left(md5(full_name), 12)
    )
  end
  from (
    select concat(n.nspname, '__', c.relname, generated_name.suffix) as full_name
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.oid = generated_name.relation
  ) named
);

comment on function millrace.generated_name(regclass, text) is
  'The name, in schema millrace_log, of what the engine generates for a table.';
