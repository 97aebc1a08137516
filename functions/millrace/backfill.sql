/*
 * Counts derivations that are new, resumed or to be tried again: one batch of keys, so that a drain
 * stays short. A backfill is a reconcile that expects everything to differ, so it needs no
 * downtime: the logs and the triggers are there already. Returns whether more is to be done.
 */
create or replace function millrace.backfill(size integer default 2000)
  returns boolean
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_started constant timestamptz := clock_timestamp();
  v_d millrace.derivation;
  v_run record;
begin
  select d.* into v_d
    from millrace.derivation d where d.state = 'backfilling' and d.kind = 'counter'
    order by d.declared_at, d.name limit 1;
  if not found then
    return false;
  end if;
  begin
    v_run := millrace.reconcile_target(array[v_d.name], true, v_d.backfill_after, backfill.size);
  exception
    when data_exception or raise_exception or syntax_error_or_access_rule_violation
      or integrity_constraint_violation or feature_not_supported or program_limit_exceeded
    then
      perform millrace.fail(v_d.name, sqlstate || ': ' || sqlerrm);
      return true;
  end;
  insert into millrace.run_log (kind, name, started_at, keys)
    values ('backfill', v_d.name, v_started, v_run.checked);
  if v_run.checked < backfill.size or not millrace.is_indexed(v_d) then
    update millrace.derivation d
      set state = 'active', backfill_after = null, failures = 0, retry_at = null, last_error = null,
        last_error_at = null, last_reconciled_at = clock_timestamp()
      where d.name = v_d.name;
  else
    update millrace.derivation d set backfill_after = v_run.last_key where d.name = v_d.name;
  end if;
  return exists (
    select from millrace.derivation d where d.state = 'backfilling' and d.kind = 'counter'
  );
end
$$;

comment on function millrace.backfill(integer) is
  'Counts one batch of keys of a derivation that is new or resumed; true if more is to be done.';
