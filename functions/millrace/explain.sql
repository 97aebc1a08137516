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
  v_names constant record := millrace.generated(v_d);
  v_parts text[] := '{}';
  v_source record;
  v_trigger record;
  v_view text;
begin
  for v_source in
    select s.*
    from millrace.source s
    where s.relation in (v_d.source, v_d.through)
    order by s.relation = v_d.through
  loop
    v_parts := v_parts || format(
      '-- the log of %s: %s (sign, recorded_at, %s)',
      millrace.qualified_name(v_source.relation),
      millrace.qualified_name(v_source.log),
      millrace.list(v_source.columns));
    for v_trigger in select * from millrace.trigger_sql(
      v_source.relation, v_source.columns, v_source.compared
    ) loop
      v_parts := v_parts || (v_trigger.function_sql || ';') || (v_trigger.trigger_sql || ';');
    end loop;
  end loop;
  foreach v_view in array array_remove(
    array[
      case when v_d.members is not null then v_names.pending_members end,
      v_names.pending,
      case when v_d.members is not null then v_names.truth_members end,
      v_names.truth
    ], null)
  loop
    v_parts := v_parts
      || format(E'create view %s as\n%s', v_view, pg_get_viewdef(v_view::regclass));
  end loop;
  v_parts := v_parts
    || '-- the exact read'::text
    || (millrace.exact_sql(v_d) || ';')
    || '-- the drain, as it would run for this derivation alone'::text
    || (millrace.drain_sql(array[v_d.name]) || ';')
    || '-- reconcile, a batch of keys: $1 the last key of the batch before, $2 the size'::text
    || (millrace.reconcile_sql(array[v_d.name], 'keys', millrace.is_indexed(v_d), true) || ';');
  return array_to_string(v_parts, E'\n\n');
end
$$;

comment on function millrace.explain(text) is
  'The SQL that is generated for a derivation: triggers, views, exact read, drain, reconcile. '
  'MR012 for an unknown name.';
