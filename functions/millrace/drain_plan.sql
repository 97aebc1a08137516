/*
 * The function that drains a set of logs, generated once and kept: planning the statement takes
 * several times as long as running it over a few rows, and plpgsql keeps the plan for the session.
 * The plan is a generic one, which is the same as any other here: what a drain looks up it looks up
 * row by row, by one index (a bitmap of two would read all of a hot key for each row).
 *
 * Sets of logs that serve the same derivations share the function, and with it the plan. Which logs
 * hold rows differs from drain to drain; whom they serve are unions of a few groups, those of
 * derivations that read the same tables: so a session soon has all the plans that it needs, and
 * planning, which holds the engine's lock, does not go on for ever. Kept until a declaration or a
 * state changes (trigger on millrace.derivation). Beyond 200 sets of logs the rows start again; the
 * functions stay.
 */
create or replace function millrace.drain_plan(pending regclass[])
  returns millrace.drain_plan
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_plan millrace.drain_plan;
  v_name name;
  v_body text;
begin
  select p.* into v_plan from millrace.drain_plan p where p.pending = drain_plan.pending;
  if found then
    return v_plan;
  end if;
  if (select count(*) >= 200 from millrace.drain_plan p) then
    delete from millrace.drain_plan;
  end if;
  v_plan.pending := drain_plan.pending;
  v_plan.names := millrace.drained_together(drain_plan.pending);
  v_plan.unread := millrace.unread_logs(drain_plan.pending);
  v_plan.recounted := (
    select string_agg(distinct millrace.qualified_name(r.relation), ', ')
    from millrace.target_logs() t
    join millrace.derivation d on d.target = t.target and d.kind = 'counter'
    cross join unnest(array[d.source, d.through]) r(relation)
    where t.is_recount and t.log = any (drain_plan.pending)
  );
  if cardinality(v_plan.names) > 0 then
    v_name := 'drain_' || left(md5(v_plan.names::text), 12);
    v_plan.routine := format('millrace_log.%I', v_name);
    select p.statement into v_plan.statement
      from millrace.drain_plan p where p.routine = v_plan.routine limit 1;
    if not found then
      v_plan.statement := millrace.drain_sql(v_plan.names, 'slice');
    end if;
    v_body := format(
      E'\n'
      '#variable_conflict use_column\n'
      'begin\n'
      '  return query\n'
      '%s;\n'
      'end\n',
      v_plan.statement);
    -- one that is as it should be is not replaced: sessions would plan it again
    if not exists (
      select from pg_catalog.pg_proc p
      where p.pronamespace = 'millrace_log'::regnamespace and p.proname = v_name
        and p.prosrc = v_body
    ) then
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
        'as %L',
        v_plan.routine, v_body);
      execute format('revoke all on function %s(integer) from public', v_plan.routine);
    end if;
  end if;
  insert into millrace.drain_plan select v_plan.*;
  return v_plan;
end
$$;

comment on function millrace.drain_plan(regclass[]) is
  'The function that drains a set of logs, and whom it serves.';
