/*
 * The exact read of a counter: stored value plus what is pending, in one statement and so in one
 * snapshot. It recounts where the stored value is not kept up: while the derivation is not active
 * in that snapshot (being counted, paused, failed, or declared anew: a new declaration has a new
 * id, which an older snapshot does not see), and for rows that a drain has yet to count afresh. The
 * state is read and not written into the function, because a statement that is older than a change
 * of state would meet the new function with the old stored value. The stored value is read again by
 * key and not taken from the argument, which may be older than the rows that were drained since.
 *
 * plpgsql, because it keeps its plan for the session: SQL functions with a subquery cannot be
 * inlined, and before Postgres 18 they are planned again in every statement. The plan must stay a
 * nested loop over indexes whether the logs are empty, small or large, and it is cached while they
 * change: hence the settings. Owner's rights, because nobody else may read a log.
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
begin
  return format(
    E'create or replace function %1$s(%2$s)\n'
    '  returns %3$s\n'
    '  language plpgsql\n'
    '  stable\n'
    '  security definer\n'
    '  set search_path to pg_catalog, pg_temp\n'
    '  set row_security to off\n'
    '  set plan_cache_mode to force_generic_plan\n'
    '  set enable_seqscan to off\n'
    '  set enable_bitmapscan to off\n'
    '  set enable_hashjoin to off\n'
    '  set enable_mergejoin to off\n'
    '  set enable_sort to off\n'
    '  set jit to off\n'
    'as $exact$\n'
    'begin\n'
    '  return (\n'
    '    case\n'
    '      when exists (\n'
    '          select from millrace.derivation d\n'
    '          where d.id = %4$s and d.state = ''active''\n'
    '        )\n'
    '        and not exists (select from %5$s t where %6$s)\n'
    '      then coalesce((%10$s), $1.%7$I, 0)\n'
    '        + coalesce((select t.delta from %8$s t where %6$s), 0)\n'
    '      else coalesce((select t.value from %9$s t where %6$s), 0)\n'
    '    end\n'
    '  )::%3$s;\n'
    'end\n'
    '$exact$',
    v_names.exact,
    millrace.qualified_name(v_d.target),
    millrace.column_type(v_d.target, v_d.target_column),
    v_d.id,
    v_names.recount,
    millrace.list(v_d.target_key, 't.%1$I = $1.%1$I', ' and '),
    v_d.target_column,
    v_names.pending,
    v_names.truth,
    millrace.newest_sql(
      v_d.target, 't', v_d.target_key,
      array(
        select format('$1.%I', k.name)
        from unnest(v_d.target_key) with ordinality k(name, position)
        order by k.position
      ),
      array[v_d.target_column]));
end
$$;

comment on function millrace.exact_sql(millrace.derivation) is
  'The exact read function of a counter, as SQL.';
