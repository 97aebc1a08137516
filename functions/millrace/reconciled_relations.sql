/*
 * The derived relations and reactions to reconcile.
 */
create or replace function millrace.reconciled_relations(name text)
  returns setof millrace.derivation
  language sql
  stable
  set search_path to ''
begin atomic
  select d.*
  from millrace.derivation d
  where (reconciled_relations.name is null or d.name = reconciled_relations.name)
    and d.kind <> 'counter' and d.state = 'active'
  order by d.id;
end;

comment on function millrace.reconciled_relations(text) is
  'The derived relations and reactions to reconcile.';
