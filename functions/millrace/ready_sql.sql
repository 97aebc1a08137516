/*
 * A common table expression that is done when all the others are that it names: apply_sql locks
 * rows of targets only after it. What is computed and written elsewhere takes most of a run's time,
 * and an application that updates a target row should not wait for it.
 */
create or replace function millrace.ready_sql(ctes text[])
  returns text
  language sql
  immutable
  set search_path to ''
return (
  select format(
    E'ready as materialized (\n'
    '  select %s as n\n'
    ')',
    string_agg(format('(select count(*) from %s)', c.name), E'\n    + ' order by c.position))
  from unnest(ready_sql.ctes) with ordinality c(name, position)
);

comment on function millrace.ready_sql(text[]) is
  'A common table expression that waits for others, before rows of targets are locked.';
