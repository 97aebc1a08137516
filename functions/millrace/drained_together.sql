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
    select d.target from millrace.derivation d
    where to_regclass((millrace.generated(d)).carry) = any (drained_together.pending)
      or to_regclass((millrace.generated(d)).recount) = any (drained_together.pending)
  ),
  closure(name, source, through) as (
    select d.name, d.source, d.through
    from millrace.derivation d
    where d.state in ('active', 'backfilling') and (
      d.source in (select r.relation from reached r)
      or d.through in (select r.relation from reached r)
      or d.target in (select r.relation from reached r)
    )
    union
    select d.name, d.source, d.through
    from closure c
    join millrace.derivation d
      on d.state in ('active', 'backfilling')
      and (d.source in (c.source, c.through) or d.through in (c.source, c.through))
  )
  select c.name from closure c order by c.name
);

comment on function millrace.drained_together(regclass[]) is
  'The derivations that a drain of these logs serves.';
