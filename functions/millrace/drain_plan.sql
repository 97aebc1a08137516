/*
 * The function that drains a set of logs, generated once and kept: planning the statement takes
 * several times as long as running it over a few rows, and plpgsql keeps the plan for the session.
 * The plan is a generic one, which is the same as any other here: what a drain looks up it looks up
 * row by row, by one index (a bitmap of two would read all of a hot key for each row). Kept until a
 * declaration or a state changes (trigger on millrace.derivation). How many sets of pending logs
 * occur is bounded in practice; beyond 200 the store starts again.
 */
create or replace function millrace.drain_plan(pending regclass[])
  returns millrace.drain_plan
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_plan millrace.drain_plan;
begin
  select p.* into v_plan from millrace.drain_plan p where p.pending = drain_plan.pending;
  if found then
    return v_plan;
  end if;
  if (select count(*) >= 200 from millrace.drain_plan p) then
    perform millrace.forget_plans();
  end if;
  v_plan.pending := drain_plan.pending;
  v_plan.names := millrace.drained_together(drain_plan.pending);
  v_plan.unread := millrace.unread_logs(drain_plan.pending);
  v_plan.recounted := (
    select string_agg(distinct millrace.qualified_name(r.relation), ', ')
    from millrace.derivation d
    cross join unnest(array[d.source, d.through]) r(relation)
    where d.kind = 'counter'
      and to_regclass((millrace.generated(d)).recount) = any (drain_plan.pending)
  );
  if cardinality(v_plan.names) > 0 then
    v_plan.statement := millrace.drain_sql(v_plan.names, 'slice');
    v_plan.routine := format('millrace_log.%I',
      'drain_' || left(md5(v_plan.pending::oid[]::text), 12));
    execute format(
      E'create or replace function %s(slice integer)\n'
      '  returns table (rows jsonb, keys bigint, recount jsonb, changed jsonb)\n'
      '  language plpgsql\n'
      '  volatile\n'
      '  set search_path to pg_catalog, pg_temp\n'
      '  set plan_cache_mode to force_generic_plan\n'
      '  set enable_seqscan to off\n'
      '  set enable_hashjoin to off\n'
      '  set enable_bitmapscan to off\n'
      '  set enable_mergejoin to off\n'
      'as $drain$\n'
      '#variable_conflict use_column\n'
      'begin\n'
      '  return query\n'
      '%s;\n'
      'end\n'
      '$drain$',
      v_plan.routine, v_plan.statement);
    execute format('revoke all on function %s(integer) from public', v_plan.routine);
  end if;
  insert into millrace.drain_plan select v_plan.*;
  return v_plan;
end
$$;

comment on function millrace.drain_plan(regclass[]) is
  'The function that drains a set of logs, and whom it serves.';
