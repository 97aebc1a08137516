/*
 * The keys of a derived relation whose stored row is not the newest: those that wait for the job,
 * and those that the rows pending in the logs will make wait.
 */
create or replace function millrace.dirty_sql(derivation millrace.derivation)
  returns text
  language sql
  stable
  set search_path to ''
return (
  select string_agg(p.part, E'\nunion all\n' order by p.position)
  from (
    select 0 as position, format(E'select %s\nfrom %s',
      millrace.list((dirty_sql.derivation).target_key),
      millrace.qualified_name((dirty_sql.derivation).work)) as part
    union all
    select row_number() over (order by m.source), format(
      E'select %s\n'
      'from (\n'
      '%s\n'
      ') k(%s)',
      (
        select string_agg(format('k.%I::%s as %1$I', c.name,
          millrace.column_type((dirty_sql.derivation).work, c.name)), ', ' order by c.position)
        from unnest((dirty_sql.derivation).target_key) with ordinality c(name, position)
      ),
      millrace.mapped_sql(m.query, m.columns,
        millrace.open_log_sql(m.source, 'millrace.undrained') || ' l'),
      millrace.list((dirty_sql.derivation).target_key))
    from millrace.mapping m
    where m.derivation = (dirty_sql.derivation).id and m.query is not null
  ) p
);

comment on function millrace.dirty_sql(millrace.derivation) is
  'The keys of a derived relation whose stored row is not the newest, as SQL.';
