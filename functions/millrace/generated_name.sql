/*
 * The name of a generated object: the table's schema__table, as it was when it was first declared,
 * with a suffix for what it is. The table may be renamed or dropped since: what was generated is
 * still found.
 */
create or replace function millrace.generated_name(relation regclass, suffix text default '')
  returns name
  language sql
  stable
  strict
  set search_path to ''
return (
  select millrace.fitting_name(coalesce(
    (select s.stem from millrace.stem s where s.relation = generated_name.relation),
    (
      select concat(n.nspname, '__', c.relname)
      from pg_catalog.pg_class c
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where c.oid = generated_name.relation
    )
  ) || generated_name.suffix)
);

comment on function millrace.generated_name(regclass, text) is
  'The name, in schema millrace_log, of what the engine generates for a table.';
