/*
 * What is generated for a counter beside its log and its drain.
 */
create or replace function millrace.explain_counter(derivation millrace.derivation)
  returns text[]
  language plpgsql
  stable
  set search_path to ''
as $$
declare
  v_d constant millrace.derivation := explain_counter.derivation;
  v_names constant record := millrace.generated(v_d);
  v_parts text[] := '{}';
  v_view text;
begin
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
  return v_parts
    || '-- the exact read'::text
    || (millrace.exact_sql(v_d) || ';')
    || '-- reconcile, a batch of keys: $1 the last key of the batch before, $2 the size'::text
    || (millrace.reconcile_sql(array[v_d.name], 'keys', millrace.is_indexed(v_d), true) || ';');
end
$$;

comment on function millrace.explain_counter(millrace.derivation) is
  'What is generated for a counter beside its log and its drain.';
