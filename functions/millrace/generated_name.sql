/*
 * The name of a generated object: the table's schema__table, as it was when it was first declared,
 * with a suffix for what it is. The table may be renamed or dropped since: what was generated is
 * still found. Names over Postgres' 63 bytes are cut and made unique by a hash, so that two long
 * names never meet.
 */
create or replace function millrace.generated_name(relation regclass, suffix text default '')
  returns name
  language sql
  stable
  strict
  set search_path to ''
return (
  select case
    when octet_length(named.stem || generated_name.suffix) <= 63
      then named.stem || generated_name.suffix
    else concat(left(named.stem || generated_name.suffix, 40), '_',
      left(md5(named.stem || generated_name.suffix), 12))
  end
  from (
    select coalesce(
      (select s.stem from millrace.stem s where s.relation = generated_name.relation),
      (
        select concat(n.nspname, '__', c.relname)
        from pg_catalog.pg_class c
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where c.oid = generated_name.relation
      )
    ) as stem
  ) named
);

comment on function millrace.generated_name(regclass, text) is
  'The name, in schema millrace_log, of what the engine generates for a table.';
