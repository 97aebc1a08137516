/*
 * Relations may be derived from derived relations and from counters: they follow. What would be
 * derived from itself, by whatever way, is refused: it would never come to rest.
 */
create or replace function millrace.check_circle(name text, target regclass, reads regclass[])
  returns void
  language plpgsql
  stable
  set search_path to ''
as $$
declare
  v_path text;
begin
  with recursive reached(relation, path) as (
    select r.relation, check_circle.name
    from unnest(check_circle.reads) r(relation)
    union
    select x.relation, r.path || ' reads ' || d.name
    from reached r
    join millrace.derivation d on d.target = r.relation
    cross join lateral (
      select g.relation from millrace.reading g where g.id = d.id
      union all
      select u.upstream from millrace.dependency u where u.derivation = d.id
    ) x(relation)
    where d.name <> check_circle.name
  )
  select r.path into v_path from reached r where r.relation = check_circle.target limit 1;
  if v_path is not null then
    raise exception '% would be derived from itself', check_circle.name using
      errcode = 'MR010',
      detail = format('%s reads %s', v_path, check_circle.name),
      hint = 'Derive from base tables, or break the circle.';
  end if;
end
$$;

comment on function millrace.check_circle(text, regclass, regclass[]) is
  'Refuses a relation that would depend on itself: MR010.';
