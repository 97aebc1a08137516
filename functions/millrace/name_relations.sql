/*
 * Fixes the names under which the engine knows tables (millrace.stem): schema__table, as it is now.
 */
create or replace function millrace.name_relations(relations regclass[])
  returns void
  language plpgsql
  volatile
  set search_path to ''
as $$
begin
  insert into millrace.stem (relation, stem)
    select distinct on (r.relation) r.relation, millrace.generated_name(r.relation) || case
      when exists (select from millrace.stem s where s.stem = millrace.generated_name(r.relation))
        then '__' || r.relation::oid else '' end
    from unnest(name_relations.relations) r(relation)
    on conflict (relation) do nothing;
end
$$;

comment on function millrace.name_relations(regclass[]) is
  'Fixes the names under which the engine knows tables.';
