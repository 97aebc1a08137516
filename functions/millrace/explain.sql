/*
 * Everything that is generated for a derivation, as SQL that can be read and run by hand.
 */
create or replace function millrace.explain(name text)
  returns text
  language plpgsql
  stable
  set search_path to ''
as $$
declare
  v_d constant millrace.derivation := millrace.derivation_named(explain.name);
  v_parts text[] := '{}';
  v_source record;
  v_trigger record;
begin
  for v_source in
    select s.*
    from millrace.source s
    join millrace.reading r on r.relation = s.relation and r.id = v_d.id
    order by s.relation is not distinct from v_d.through, s.relation
  loop
    v_parts := v_parts || format(
      '-- the log of %s: %s (%s)',
      millrace.qualified_name(v_source.relation),
      millrace.qualified_name(v_source.log),
      millrace.comma('sign, recorded_at', millrace.list(v_source.columns)));
    for v_trigger in
      select *
      from millrace.trigger_sql(v_source.relation, v_source.columns, v_source.compared)
    loop
      v_parts := v_parts || (v_trigger.function_sql || ';') || (v_trigger.trigger_sql || ';');
    end loop;
  end loop;
  return array_to_string(v_parts
    || case v_d.kind
      when 'counter' then millrace.explain_counter(v_d)
      else millrace.explain_relation(v_d)
    end
    || '-- the drain, as it would run for this derivation alone'::text
    || (millrace.drain_sql(array[v_d.name]) || ';'), E'\n\n');
end
$$;

comment on function millrace.explain(text) is
  'The SQL that is generated for a derivation: triggers, views, exact read, drain, recompute, '
  'reconcile. MR012 for an unknown name.';
