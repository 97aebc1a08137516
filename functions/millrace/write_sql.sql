/*
 * Replaces what differs, as the end of a statement that has the common table expressions fresh
 * (what the definition gives) and batch (the keys that it was asked for): stored rows that the
 * definition no longer gives go, rows that differ are written, all others are not touched.
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
    '  using batch b\n'
    '  where %2$s and not exists (select from fresh f where %3$s)\n'
    '  returning %4$s\n'
    '),\n'
    'written as (\n'
    '  insert into %1$s as t (%5$s)\n'
    '  select %6$s\n'
    '  from fresh f\n'
    '  left join lateral (select * from %1$s t where %7$s offset 0) t on true\n'
    '  where %8$s\n'
    '  order by %9$s\n'
    '  on conflict (%10$s) do %11$s\n'
    '  returning %4$s\n'
    ')',
    millrace.qualified_name((n.d).target),
    millrace.list((n.d).target_key, 't.%1$I = b.%1$I', ' and '),
    millrace.list((n.d).target_key, 'f.%1$I = b.%1$I', ' and '),
    millrace.list((n.d).target_key, 't.%I'),
    millrace.list((n.d).columns),
    millrace.list((n.d).columns, 'f.%I'),
    millrace.list((n.d).target_key, 't.%1$I = f.%1$I', ' and '),
    millrace.differs_sql(n.d),
    millrace.list((n.d).target_key, 'f.%I'),
    millrace.list((n.d).target_key),
    case when cardinality(n.others) = 0 then 'nothing'
      else 'update set ' || millrace.list(n.others, '%1$I = excluded.%1$I')
    end)
  from (
    select write_sql.derivation as d, array(
      select c.name
      from unnest((write_sql.derivation).columns) with ordinality c(name, position)
      where c.name <> all ((write_sql.derivation).target_key)
      order by c.position
    ) as others
  ) n
);

comment on function millrace.write_sql(millrace.derivation) is
  'Replaces the stored rows that differ from the definition, as common table expressions.';
