/*
 * The exact read of a counter: stored value plus what is pending, in one statement and so in one snapshot; a recount
 * while the stored value is not kept up (backfilling, paused, failed). The stored value is read again by key and
 * not taken from the argument, which may be older than the pending rows that were drained since.
 *
 * plpgsql, because it keeps its plan for the session: SQL functions with a subquery cannot be inlined, and before
 * Postgres 18 they are planned again in every statement. The plan must stay a nested loop over indexes whether the
 * logs are empty, small or large, and it is cached while they are not: hence the settings. Owner's rights, because
 * nobody else may read a log.
 */
create or replace function millrace.exact_sql(derivation millrace.derivation)
  returns text
  language plpgsql
  stable
  set search_path to ''
as $$
declare
  v_d constant millrace.derivation := exact_sql.derivation;
  v_names constant record := millrace.generated(v_d);
  v_type constant text := millrace.column_type(v_d.target, v_d.target_column);
  v_target constant text := millrace.qualified_name(v_d.target);
  v_truth constant text := format('coalesce((select t.value from %s t where %s), 0)',
    v_names.truth, millrace.list(v_d.target_key, 't.%1$I = $1.%1$I', ' and '));
  v_live constant text := format(
    E'coalesce((select t.%1$I from %2$s t where %3$s), $1.%1$I, 0)\n'
    '    + coalesce((select p.delta from %4$s p where %5$s), 0)',
    v_d.target_column, v_target, millrace.list(v_d.target_key, 't.%1$I = $1.%1$I', ' and '),
    v_names.pending, millrace.list(v_d.target_key, 'p.%1$I = $1.%1$I', ' and '));
begin
  return format(
    E'create or replace function %s(%s)\n  returns %s\n  language plpgsql\n  stable\n  security definer\n'
    '  set search_path to pg_catalog, pg_temp\n  set plan_cache_mode to force_generic_plan\n'
    '  set enable_seqscan to off\n  set enable_hashjoin to off\n  set enable_mergejoin to off\n  set jit to off\n'
    'as $exact$\nbegin\n  return (\n    %s\n  )::%s;\nend\n$exact$',
    v_names.exact, v_target, v_type,
    case
      when v_d.state <> 'active' then v_truth
      when v_d.guarded then v_live
      else format(E'case when exists (select from %s r where %s)\n    then %s\n    else %s end',
        v_names.new_rows, millrace.list(v_d.target_key, 'r.%1$I = $1.%1$I', ' and '), v_truth, v_live)
    end,
    v_type);
end
$$;

comment on function millrace.exact_sql(millrace.derivation) is 'The exact read function of a counter, as SQL.';
