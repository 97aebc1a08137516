/*
 * Drops what was generated for a derived relation or a reaction, and the relation itself: it holds
 * nothing that its definition would not give again.
 */
create or replace function millrace.drop_relation(derivation millrace.derivation)
  returns void
  language plpgsql
  volatile
  set search_path to ''
  set client_min_messages to warning
as $$
declare
  v_d constant millrace.derivation := drop_relation.derivation;
  v_names constant record := millrace.relation_names(v_d.name);
  v_kind constant "char" := (select c.relkind from pg_catalog.pg_class c where c.oid = v_d.target);
begin
  if v_d.kind = 'materialize' then
    execute format('drop view if exists %s', v_names.live);
    execute format('drop view if exists %s', v_names.dirty);
    if v_kind is not null then
      execute format('drop %s %s',
        case v_kind when 'm' then 'materialized view' else 'table' end,
        millrace.qualified_name(v_d.target));
    end if;
    execute format('drop view if exists %s', v_names.next_definition);
    execute format('drop view if exists %s', v_names.definition);
  end if;
  execute format('drop table if exists %s', v_names.work);
end
$$;

comment on function millrace.drop_relation(millrace.derivation) is
  'Drops a derived relation, or what was generated for a reaction.';
