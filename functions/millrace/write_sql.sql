/*
 * Replaces what differs, as the end of a statement that has the common table expression fresh (what
 * the definition gives for each key): stored rows that the definition no longer gives go, rows that
 * differ are written, all others are not touched. Stored rows are looked up key by key, because the
 * planner knows nothing of the number of rows of fresh; nobody else writes them meanwhile, so a
 * row's place (ctid) is where it was found.
 */
create or replace function millrace.write_sql(derivation millrace.derivation)
  returns text
  language sql
  stable
  set search_path to ''
return (
  select format(
    E'removed as (\n'
    '  delete from %1$s t\n'
    '  where t.ctid = any (array(\n'
    '    select x.place\n'
    '    from fresh f\n'
    '    cross join lateral (select t.ctid as place from %1$s t where %5$s offset 0) x\n'
    '    where f."fresh.found" is null\n'
    '  ))\n'
    '  returning %2$s\n'
    '),\n'
    'written as (\n'
    '  insert into %1$s as t (%3$s)\n'
    '  select %4$s\n'
    '  from fresh f\n'
    '  left join lateral (select * from %1$s t where %5$s offset 0) t on true\n'
    '  where f."fresh.found" and %6$s\n'
    '  order by %7$s\n'
    '  on conflict (%8$s) do update set %9$s\n'
    '  returning %2$s\n'
    ')',
    millrace.qualified_name(n.target),
    millrace.list(n.target_key, 't.%I'),
    millrace.list(n.columns),
    millrace.list(n.columns, 'f.%I'),
    millrace.list(n.target_key, 't.%1$I = f.%1$I', ' and '),
    millrace.differs_sql(write_sql.derivation),
    millrace.list(n.target_key, 'f.%I'),
    millrace.list(n.target_key),
    millrace.list(n.columns, '%1$I = excluded.%1$I'))
  from (select (write_sql.derivation).*) n
);

comment on function millrace.write_sql(millrace.derivation) is
  'Replaces the stored rows that differ from the definition, as common table expressions.';
