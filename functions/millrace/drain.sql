/*
 * Takes what is pending out of the logs and adds it to the stored values, in one statement (see
 * drain_sql). Whoever holds the engine's lock is doing it already: then this returns at once.
 *
 * A derivation whose SQL raises (a division by zero in a filter, a sum out of range, a dropped
 * function) must not hold up the others: the statement is tried for each alone, those that fail are
 * marked and recounted later, and the others go on. Errors of the moment (deadlock, lock timeout,
 * cancel, out of memory) are not the derivation's: they roll the whole drain back, and the next one
 * does its work.
 *
 * A lost drain loses nothing: whoever calls it in a transaction of its own may set
 * synchronous_commit to off.
 */
create or replace function millrace.drain(slice integer default 20000)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path to pg_catalog, pg_temp
  set jit to off
  set row_security to off
as $$
declare
  v_started constant timestamptz := clock_timestamp();
  v_pending regclass[];
  v_since xid8;
  v_plan millrace.drain_plan;
  v_log text;
  v_rows jsonb := '{}';
  v_keys bigint := 0;
  v_recount jsonb := '{}';
  v_changed jsonb := '{}';
  v_total bigint := 0;
  v_more boolean := false;
  v_failed boolean;
  v_backfilling boolean;
  v_generation bigint;
begin
  if not millrace.try_lock_engine() then
    return jsonb_build_object('busy', true, 'rows', 0, 'keys', 0, 'more', false);
  end if;
  -- in one snapshot, in which all other logs are empty
  select millrace_log.pending_logs(), pg_snapshot_xmin(pg_current_snapshot())
    into v_pending, v_since;

  v_backfilling := exists (
    select from millrace.derivation d where d.state = 'backfilling' and d.kind = 'counter'
  );
  if cardinality(v_pending) = 0 and not v_backfilling then
    return jsonb_build_object('rows', 0, 'keys', 0, 'more', false, 'ms', round(
      extract(epoch from clock_timestamp() - v_started) * 1000, 3));
  end if;

  -- local to the transaction, and taken back below: a set clause of the function would need a
  -- superuser
  perform set_config('millrace.writer', 'engine', true);
  update millrace.generation g set number = g.number + 1 returning g.number into v_generation;
  perform millrace.check_snapshot();
  if millrace.forget_vanished() then
    v_pending := millrace_log.pending_logs();
  end if;
  -- either one or the other, in turn, so that no row is written twice in a transaction:
  -- for the second time Postgres checks its foreign keys again, even unchanged ones, and would wait
  -- for whoever holds the referenced row; by thirds, because a backfill moves the generation on by
  -- one more: by halves it would always be its turn, and nothing drained until it is done
  if v_backfilling and (cardinality(v_pending) = 0 or v_generation % 3 = 0) then
    v_more := millrace.backfill() or cardinality(v_pending) > 0;
  else
    loop
      v_plan := millrace.drain_plan(v_pending);
      exit when v_plan.routine is null;
      begin
        if v_plan.recounted is not null then
          -- what is counted afresh is read after target rows are locked: wait for these tables now
          execute format('lock table %s in access share mode', v_plan.recounted);
        end if;
        execute format('select * from %s($1)', v_plan.routine)
          into v_rows, v_keys, v_recount, v_changed
          using drain.slice;
        v_failed := false;
      exception
        when data_exception or raise_exception or syntax_error_or_access_rule_violation
          or integrity_constraint_violation or feature_not_supported or program_limit_exceeded
        then
          -- a generated function may be older than a change of the tables' names or types
          if v_plan.statement is distinct from millrace.drain_sql(v_plan.names, 'slice') then
            perform millrace.forget_plans();
          elsif not millrace.isolate_failures(v_plan.names, drain.slice) then
            raise;
          end if;
          v_failed := true;
      end;
      exit when not v_failed;
    end loop;
    foreach v_log in array v_plan.unread loop
      execute format('delete from %s', v_log);
    end loop;
    select
        coalesce(sum(r.value::bigint), 0),
        coalesce(bool_or(r.value::bigint >= drain.slice), false)
      into v_total, v_more
      from jsonb_each_text(v_rows) r;
    if not v_more then
      perform millrace.move_horizon(v_since, v_generation);
    end if;
    if v_total > 0 then
      update millrace.source s
        set drained_at = clock_timestamp(), drained_rows = s.drained_rows + r.value::bigint
        from jsonb_each_text(v_rows) r
        where s.relation = r.key::regclass and r.value::bigint > 0;
    end if;
    perform millrace.recount(v_recount);
    perform millrace.announce(c.key, c.value) from jsonb_each(v_changed) c;
    v_more := v_more or v_backfilling;
    if v_total > 0 or v_keys > 0 then
      insert into millrace.run_log (kind, started_at, rows, keys)
        values ('drain', v_started, v_total, v_keys);
    end if;
  end if;

  perform set_config('millrace.writer', '', true);
  return jsonb_build_object('rows', v_total, 'keys', v_keys, 'more', v_more,
    'ms', round(extract(epoch from clock_timestamp() - v_started) * 1000, 3));
end
$$;

comment on function millrace.drain(integer) is
  'Adds what is pending to the stored values. Returns {rows, keys, more, ms}: log rows taken, '
  'target rows written, whether more is waiting; {busy: true} if somebody else is draining.';
