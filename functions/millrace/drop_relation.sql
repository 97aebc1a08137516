/*
 * Drops what was generated for a derived relation or a reaction, and the relation itself: it holds
 * nothing that its definition would not give again. One that is kept loses the smart comments by
 * which the API knew it for a derived one.
 */
create or replace function millrace.drop_relation(
  derivation millrace.derivation, keep boolean default false
)
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
    perform millrace.drop_live(v_d.name);
    if v_kind is not null and drop_relation.keep then
      execute format('comment on %s %s is %L',
        case v_kind when 'm' then 'materialized view' else 'table' end,
        millrace.qualified_name(v_d.target),
        nullif(regexp_replace(coalesce(obj_description(v_d.target, 'pg_class'), ''),
          '^(@(behavior -insert -update -delete|primaryKey|foreignKey)[^\n]*(\n|$))+', ''), ''));
    elsif v_kind is not null then
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

comment on function millrace.drop_relation(millrace.derivation, boolean) is
  'Drops what was generated for a derived relation or a reaction, and the relation unless it is '
  'kept.';
