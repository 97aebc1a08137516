/*
 * Registers tables as sources; refresh_log makes their logs.
 */
create or replace function millrace.add_sources(relations regclass[])
  returns void
  language plpgsql
  volatile
  set search_path to ''
as $$
begin
  perform millrace.name_relations(add_sources.relations);
  insert into millrace.source (relation, log, columns, compared)
    select distinct r.relation, 'pg_catalog.pg_class'::regclass, '{}'::name[], '{}'::name[]
    from unnest(add_sources.relations) r(relation)
    on conflict (relation) do nothing;
end
$$;

comment on function millrace.add_sources(regclass[]) is 'Registers tables as sources.';
