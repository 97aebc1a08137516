/*
 * A derivation may read a column that is derived itself: it follows in the next drain. Round trips
 * are refused: they would never come to rest.
 */
create or replace function millrace.check_acyclic(derivation millrace.derivation)
  returns void
  language plpgsql
  stable
  set search_path to ''
as $$
declare
  v_path text;
begin
  with recursive reads(relation, column_name, path) as (
    select r.relation, c.name, (check_acyclic.derivation).name
    from (
      values
        ((check_acyclic.derivation).source, (check_acyclic.derivation).source_columns),
        ((check_acyclic.derivation).through, (check_acyclic.derivation).through_columns)
    ) r(relation, columns)
    cross join lateral unnest(r.columns) c(name)
    union
    select x.relation, c.name, r.path || ' reads ' || d.name
    from reads r
    join millrace.derivation d on d.target = r.relation and d.target_column = r.column_name
    cross join lateral (
      values (d.source, d.source_columns), (d.through, d.through_columns)
    ) x(relation, columns)
    cross join lateral unnest(x.columns) c(name)
    where d.target <> (check_acyclic.derivation).target
      or d.target_column <> (check_acyclic.derivation).target_column
  )
  select r.path into v_path
    from reads r
    where r.relation = (check_acyclic.derivation).target
      and r.column_name = (check_acyclic.derivation).target_column
    limit 1;
  if v_path is not null then
    raise exception '% would be derived from itself', (check_acyclic.derivation).name using
      errcode = 'MR010',
      detail = format('%s reads %s', v_path, (check_acyclic.derivation).name),
      hint = 'Derive from base columns, or break the circle.';
  end if;
end
$$;

comment on function millrace.check_acyclic(millrace.derivation) is
  'Refuses a derivation that would depend on itself: MR010.';
