/*
 * The derivations to reconcile, those of one target together: one pass over its rows serves them
 * all.
 */
create or replace function millrace.reconciled_together(name text)
  returns table (names text[])
  language sql
  stable
  set search_path to ''
begin atomic
  select array_agg(d.name order by d.name)
  from millrace.derivation d
  where (reconciled_together.name is null or d.name = reconciled_together.name)
    and d.state = 'active' and d.kind = 'counter'
  group by d.target
  order by min(d.name);
end;

comment on function millrace.reconciled_together(text) is
  'The derivations to reconcile, by target.';
