/*
 * The derivations that a drain of these logs has to serve. A log row is deleted when it is taken,
 * so everything that reads a log is served together, and with it the other logs it reads.
 */
create or replace function millrace.drained_together(pending regclass[])
  returns text[]
  language sql
  stable
  set search_path to ''
return array(
  with recursive reached(relation) as (
    select s.relation from millrace.source s where s.log = any (drained_together.pending)
    union
    select t.target from millrace.target_logs() t where t.log = any (drained_together.pending)
  ),
  reading as materialized (
    select r.name, r.kind, r.target, r.relation, r.is_drained from millrace.reading r
  ),
  closure(name) as (
    select r.name from reading r
    where r.is_drained and (
      r.relation in (select x.relation from reached x)
      or r.kind = 'counter' and r.target in (select x.relation from reached x)
    )
    union
    select other.name
    from closure c
    join reading r on r.name = c.name
    join reading other on other.relation = r.relation and other.is_drained
  )
  select c.name from closure c order by c.name
);

comment on function millrace.drained_together(regclass[]) is
  'The derivations that a drain of these logs serves.';
