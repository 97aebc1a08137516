/*
 * The delta rule, the one definition from which trigger columns, exact read, drain and reconcile are made.
 *
 * With S the source and V its through table, both as of one snapshot, and dS, dV the signed images in their logs,
 *
 *   pending = dS x V + S x dV - dS x dV
 *
 * is what S x V has gained since the logs were empty: with S = S0 + dS and V = V0 + dV,
 * S x V - S0 x V0 = dS x V + S x dV - dS x dV. No lock is needed: rows of open transactions are in neither tables nor
 * logs of a snapshot.
 *
 * A drain that takes only the parts dS1 and dV1 out of the logs must apply the difference of pending before and after,
 *
 *   taken = dS1 x V + S x dV1 - dS1 x dV - dS x dV1 + dS1 x dV1
 *
 * (expand pending(dS, dV) - pending(dS - dS1, dV - dV1)), so any part may be taken, in any order: a large backlog is
 * drained in slices of bounded size. Taking all gives the first form again.
 *
 * The result has a row for each contributing pair: the target's key, member_1… for a distinct count, and one
 * column for each counter. Derivations given together share source, through, key and members.
 *
 * mode truth: the base tables themselves; pending: all of the logs; taken: the parts in the CTEs that
 * carry the names of the logs.
 */
create or replace function millrace.rows_sql(derivations millrace.derivation[], mode text)
  returns text
  language plpgsql
  stable
  set search_path to ''
as $$
declare
  v_first constant millrace.derivation := rows_sql.derivations[1];
  v_source constant text := millrace.qualified_name(v_first.source);
  v_through constant text := millrace.qualified_name(v_first.through);
  v_source_log constant text := 'millrace_log.' || quote_ident(millrace.generated_name(v_first.source));
  v_through_log constant text := 'millrace_log.' || quote_ident(millrace.generated_name(v_first.through));
  v_source_taken constant text := quote_ident(millrace.generated_name(v_first.source));
  v_through_taken constant text := quote_ident(millrace.generated_name(v_first.through));
  v_on constant text := (
    select string_agg(format('via.%I = source.%I', k.through_column, k.source_column), ' and ')
    from unnest(v_first.source_key, v_first.through_key) k(source_column, through_column)
  );
  v_not_null constant text := (
    select string_agg(format(' and %s is not null', millrace.column_sql(v_first, m.name, false)), '')
    from unnest(v_first.members || v_first.key) m(name)
  );
  v_source_columns constant name[] := array(
    select distinct unnest(d.source_columns) as c from unnest(rows_sql.derivations) d order by c
  );
  v_through_columns constant name[] := array(
    select distinct unnest(d.through_columns) as c from unnest(rows_sql.derivations) d order by c
  );
  v_branch record;
  v_branches text[] := '{}';
begin
  for v_branch in
    -- the base table of a branch stands in a lateral subquery that the planner may not pull up (offset 0):
    -- the log is always the outer side, so that the cost follows the change whatever the statistics say
    with inner_sql as (
      select
        format('lateral (select %s from %s via where %s offset 0) via',
          millrace.list(v_through_columns, 'via.%I'), v_through, v_on) as through_sql,
        format('lateral (select %s from %s source where %s offset 0) source',
          millrace.list(v_source_columns, 'source.%I'), v_source, v_on) as source_sql
    )
    select b.sign_sql, b.from_sql, b.from_through
    from inner_sql i
    cross join lateral (values
      ('truth', false, '', v_source || ' source', false),
      ('pending', false, 'source.sign * ', v_source_log || ' source', false),
      ('taken', false, 'source.sign * ', v_source_taken || ' source', false),
      ('truth', true, '', format('%s source join %s via on %s', v_source, v_through, v_on), false),
      ('pending', true, 'source.sign * ', v_source_log || ' source, ' || i.through_sql, false),
      ('pending', true, 'via.sign * ', v_through_log || ' via, ' || i.source_sql, true),
      ('pending', true, '-source.sign * via.sign * ',
        format('%s source join %s via on %s', v_source_log, v_through_log, v_on), false),
      ('taken', true, 'source.sign * ', v_source_taken || ' source, ' || i.through_sql, false),
      ('taken', true, 'via.sign * ', v_through_taken || ' via, ' || i.source_sql, true),
      ('taken', true, '-source.sign * via.sign * ',
        format('%s source join %s via on %s', v_source_taken, v_through_log, v_on), false),
      ('taken', true, '-source.sign * via.sign * ',
        format('%s via join %s source on %s', v_through_taken, v_source_log, v_on), false),
      ('taken', true, 'source.sign * via.sign * ',
        format('%s source join %s via on %s', v_source_taken, v_through_taken, v_on), false)
    ) b(mode, has_through, sign_sql, from_sql, from_through)
    where b.mode = rows_sql.mode and b.has_through = (v_first.through is not null)
  loop
    v_branches := v_branches || format(
      E'select %s,\n  %s\nfrom %s\nwhere (%s\n)%s',
      (
        select string_agg(format('%s as %I', millrace.column_sql(v_first, k.source, v_branch.from_through), k.name),
          ', ' order by k.position)
        from (
          select k.source, k.name, k.position
          from unnest(v_first.key, v_first.target_key) with ordinality k(source, name, position)
          union all
          select m.source, 'member_' || m.position, 1000 + m.position
          from unnest(v_first.members) with ordinality m(source, position)
        ) k
      ),
      (
        select string_agg(
          case
            when cardinality(rows_sql.derivations) = 1 then format('%s(%s) as %I', v_branch.sign_sql, d.value, d.target_column)
            else format(E'case when (%s\n) then %s(%s) end as %I', d.filter, v_branch.sign_sql, d.value, d.target_column)
          end, E',\n  ' order by d.target_column)
        from unnest(rows_sql.derivations) d
      ),
      v_branch.from_sql,
      case when cardinality(rows_sql.derivations) = 1 then v_first.filter else 'true' end,
      v_not_null
    );
  end loop;
  return array_to_string(v_branches, E'\nunion all\n');
end
$$;

comment on function millrace.rows_sql(millrace.derivation[], text) is
  'The rows that make up counters (truth), that are pending for them, or that a drain takes for them.';
