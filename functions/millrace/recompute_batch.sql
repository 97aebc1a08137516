/*
 * One transaction of a derived relation's job: a batch of keys that are due, or all rows where they
 * are not kept. The caller commits. Returns null when somebody else is at work on the relation, or
 * it is paused or failed; else {keys, marks, more, after}.
 *
 * A definition that raises an error for one key must not hold up the others: a batch that fails is
 * tried again in smaller ones, down to the key itself, which then waits in failed_key, for a second
 * at first and twice as long each time. Errors of the moment (deadlock, lock timeout, cancel) are
 * not the key's: they end the job, which graphile-worker runs again.
 */
create or replace function millrace.recompute_batch(
  id bigint, after text[] default null, size integer default 1000, everything boolean default false
)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path to pg_catalog, pg_temp
  set jit to off
  set row_security to off
as $$
declare
  v_d millrace.derivation;
  v_run record;
  v_size integer := recompute_batch.size;
  v_started constant timestamptz := clock_timestamp();
begin
  if not millrace.try_lock_relation(recompute_batch.id) then
    return null;
  end if;
  -- fails in a transaction whose snapshot is older than another run
  update millrace.progress p set number = p.number + 1, started_at = v_started
    where p.derivation = recompute_batch.id;
  select d.* into v_d from millrace.derivation d where d.id = recompute_batch.id;
  if not found or v_d.state not in ('active', 'backfilling') then
    return null;
  end if;
  if v_d.state = 'backfilling' or v_d.strategy = 'refresh' then
    return millrace.remake(v_d);
  end if;

  loop
    begin
      v_run := millrace.recompute_keys(
        v_d, recompute_batch.after, v_size, recompute_batch.everything);
      exit;
    exception
      when data_exception or raise_exception or syntax_error_or_access_rule_violation
        or integrity_constraint_violation or feature_not_supported or program_limit_exceeded
        or cardinality_violation
      then
        if v_size = 1 then
          return millrace.fail_key(v_d, recompute_batch.after, recompute_batch.everything,
            sqlstate || ': ' || sqlerrm);
        end if;
        v_size := greatest(v_size / 10, 1);
    end;
  end loop;
  if v_run.keys > 0 then
    delete from millrace.failed_key f
      where f.derivation = v_d.id and not millrace.is_waiting(v_d, f.key);
    if v_d.notifies then
      perform millrace.announce(millrace.qualified_name(v_d.target), v_run.changed);
    end if;
    insert into millrace.run_log (kind, name, started_at, rows, keys)
      values ('recompute', v_d.name, v_started, v_run.marks, v_run.keys);
  end if;
  update millrace.progress p
    set finished_at = clock_timestamp(), taken_rows = p.taken_rows + v_run.marks
    where p.derivation = v_d.id;
  return jsonb_build_object('keys', v_run.keys, 'marks', v_run.marks,
    'more', v_run.keys >= v_size, 'after', to_jsonb(v_run.last_key));
end
$$;

comment on function millrace.recompute_batch(bigint, text[], integer, boolean) is
  'Recomputes a batch of keys of a derived relation: {keys, marks, more, after}; null where there '
  'is nothing to do for this caller.';
