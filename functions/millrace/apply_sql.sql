/*
 * Adds deltas to the rows of a target, as common table expressions over one that is named
 * <target>__delta: lock the rows that nobody holds, update those, and put the deltas of the others
 * into the carry table. The locks are taken last and skip locked, so whoever applies waits for
 * nobody. Keys without a target row were deleted: nothing is left to count for.
 */
create or replace function millrace.apply_sql(target regclass, target_key name[], columns name[])
  returns text[]
  language sql
  stable
  set search_path to ''
begin atomic
  select array[
    format(
      E'%s as materialized (\n'
      '  select d.*\n'
      '  from %s d\n'
      '  cross join lateral (\n'
      '    select from %s t\n'
      '    where %s\n'
      '    for no key update of t skip locked\n'
      '  ) t\n'
      '  where (select ready.n from ready) >= 0\n'
      ')',
      n.free, n.delta, n.target, n.same_key),
    format(
      E'%s as (\n'
      '  update %s t\n'
      '  set %s\n'
      '  from %s d\n'
      '  where %s\n'
      '  returning 1\n'
      ')',
      n.applied, n.target, c.set_sql, n.free, n.same_key),
    format(
      E'%s as (\n'
      '  insert into %s (column_name, %s, delta)\n'
      '  select c.column_name, %s, c.delta\n'
      '  from %s d\n'
      '  cross join lateral (values %s) c(column_name, delta)\n'
      '  where c.delta <> 0 and (%s) not in (select %s from %s)\n'
      '    and exists (select from %s t where %s)\n'
      ')',
      n.locked, n.carry, n.key, n.key_d, n.delta,
      millrace.list(apply_sql.columns, '(%1$L::name, d.%1$I)'),
      n.key_d, n.key, n.free, n.target, n.same_key)
  ]
  from (
    select
      millrace.qualified_name(apply_sql.target) as target,
      quote_ident(millrace.generated_name(apply_sql.target, '__delta')) as delta,
      quote_ident(millrace.generated_name(apply_sql.target, '__free')) as free,
      quote_ident(millrace.generated_name(apply_sql.target, '__applied')) as applied,
      quote_ident(millrace.generated_name(apply_sql.target, '__locked')) as locked,
      format('millrace_log.%I', millrace.generated_name(apply_sql.target, '__carry')) as carry,
      millrace.list(apply_sql.target_key) as key,
      millrace.list(apply_sql.target_key, 'd.%I') as key_d,
      millrace.list(apply_sql.target_key, 't.%1$I = d.%1$I', ' and ') as same_key
  ) n
  cross join (
    select string_agg(format('%1$I = (coalesce(t.%1$I, 0) + d.%1$I)::%2$s', c.name,
      millrace.column_type(apply_sql.target, c.name)), ', ' order by c.position) as set_sql
    from unnest(apply_sql.columns) with ordinality c(name, position)
  ) c;
end;

comment on function millrace.apply_sql(regclass, name[], name[]) is
  'Adds deltas to target rows, and those of locked rows to the carry table, as common table '
  'expressions.';
