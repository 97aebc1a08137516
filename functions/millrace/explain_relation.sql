/*
 * What is generated for a derived relation or a reaction beside its logs and its drain.
 */
create or replace function millrace.explain_relation(derivation millrace.derivation)
  returns text[]
  language plpgsql
  stable
  set search_path to ''
as $$
declare
  v_d constant millrace.derivation := explain_relation.derivation;
  v_names constant record := millrace.relation_names(v_d.name);
  v_parts text[];
begin
  v_parts := array[
    '-- waiting keys: ' || millrace.qualified_name(v_d.work),
    '-- when they are due: select * from millrace.waiting(' || v_d.id || ');'];
  if v_d.kind = 'react' then
    return v_parts;
  end if;
  v_parts := v_parts || format(E'create view %s as\n%s', v_names.definition,
    pg_get_viewdef(v_names.definition::regclass));
  if v_d.strategy = 'incremental' then
    v_parts := v_parts
      || (E'create view ' || v_names.dirty || E' as\n' || millrace.dirty_sql(v_d) || ';')
      || (millrace.exact_rows_sql(v_d) || ';')
      || (millrace.live_sql(v_d) || ';')
      || '-- recompute, a batch: $1 the last key of the one before, $2 the size, $3 all'::text
      || (millrace.recompute_sql(v_d, 'next') || ';');
  end if;
  return v_parts
    || '-- all of it afresh'::text
    || case v_d.strategy
      when 'refresh' then format('refresh materialized view concurrently %s;',
        millrace.qualified_name(v_d.target))
      else millrace.rebuild_sql(v_d, v_names.definition) || ';'
    end
    || '-- reconcile, a batch of keys: after $1 up to $2'::text
    || (millrace.compare_sql(v_d, 'range') || ';');
end
$$;

comment on function millrace.explain_relation(millrace.derivation) is
  'What is generated for a derived relation or a reaction beside its logs and its drain.';
