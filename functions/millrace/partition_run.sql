/*
 * The upkeep of partitions: what partition_plan lists, each step in a transaction of its own. To be
 * called daily or oftener: by a task, by pg_cron, by hand. A step that does not get its locks is
 * tried three times, then left to the next run; what could not be done is logged, shown in
 * partition_status, and raised at the end, when everything else is done and committed: so that the
 * job is tried again.
 *
 * Payload, all optional: {"table": "<schema.table>", "dryRun": true}. Returns the steps; with
 * dryRun nothing is changed.
 */
create or replace procedure millrace.partition_run(inout payload jsonb default '{}')
  language plpgsql
as $$
declare
  v_dry constant boolean := coalesce((payload ->> 'dryRun')::boolean, false);
  v_table record;
  v_step record;
  v_action text;
  v_started timestamptz;
  v_rows bigint;
  v_error text;
  v_state text;
  v_steps jsonb := '[]';
  v_errors text;
  v_all_errors text;
begin
  if payload ->> 'table' is not null then
    perform millrace.partitioning_of(payload ->> 'table');
  end if;
  if not v_dry then
    perform millrace.partition_forget_vanished();
    commit;
  end if;
  for v_table in
    select p.relation, millrace.qualified_name(p.relation) as name
    from millrace.partitioning p
    where payload ->> 'table' is null or p.relation = to_regclass(payload ->> 'table')
    order by name
  loop
    v_errors := null;
    for v_step in select p.* from millrace.partition_plan(v_table.name) p loop
      v_started := clock_timestamp();
      v_rows := null;
      v_error := null;
      foreach v_action in array case
        when v_dry then '{}'
        when v_step.action in ('detach', 'drop') and millrace.partition_is_derived(v_table.relation)
          then array['watch', v_step.action]
        else array[v_step.action] end
      loop
        for v_attempt in 1 .. case when v_action in ('detach', 'drop') then 1 else 3 end loop
          select d.rows, d.error, d.state into v_rows, v_error, v_state
            from millrace.partition_step(v_table.relation, v_action,
              to_regclass(v_step.partition), v_step.from_time, v_step.to_time) d;
          commit;
          exit when v_error is null or v_state <> '55P03';
          perform pg_sleep(0.1 * v_attempt);
        end loop;
        exit when v_error is not null;
      end loop;
      if not v_dry then
        perform millrace.partition_log(v_table.relation,
          v_step.action || ' ' || v_step.partition, v_started, v_rows, v_error);
        v_errors := concat_ws(E'\n', v_errors,
          v_step.action || ' ' || v_step.partition || ': ' || v_error);
        commit;
      end if;
      v_steps := v_steps || jsonb_build_object(
        'table', v_table.name, 'action', v_step.action, 'partition', v_step.partition,
        'from', v_step.from_time, 'to', v_step.to_time,
        'rows', v_rows, 'error', v_error);
    end loop;
    if not v_dry then
      v_errors := nullif(v_errors, '');
      perform millrace.partition_finish(v_table.relation, v_errors);
      commit;
      v_all_errors := nullif(concat_ws(E'\n', v_all_errors, v_errors), '');
    end if;
  end loop;
  if v_all_errors <> '' then
    raise exception 'The upkeep of partitions could not do everything' using
      errcode = 'MR049',
      detail = v_all_errors,
      hint = 'What was done is done. Try again: call millrace.partition_run();';
  end if;
  payload := v_steps;
end
$$;

comment on procedure millrace.partition_run(jsonb) is
  'Makes partitions ahead and removes old ones, a transaction a step; {"dryRun": true} only says '
  'what it would do. MR049 when not everything could be done.';
