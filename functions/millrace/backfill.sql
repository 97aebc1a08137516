/*
 * Counts derivations that are new, resumed or to be tried again: one batch of keys, so that a drain
 * stays short. A backfill is a reconcile that expects everything to differ, so it needs no
 * downtime: the logs and the triggers are there already. Returns whether more is to be done.
 *
 * Without a size a batch is as large as 200 ms allow, going by the batch before: what a key costs
 * differs a thousandfold, and while a batch is counted no drain runs.
 */
create or replace function millrace.backfill(size integer default null)
  returns boolean
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_started constant timestamptz := clock_timestamp();
  v_d millrace.derivation;
  v_size integer := backfill.size;
  v_run record;
begin
  select d.* into v_d
    from millrace.derivation d where d.state = 'backfilling' and d.kind = 'counter'
    order by d.declared_at, d.name limit 1;
  if not found then
    return false;
  end if;
  if v_size is null then
    v_size := coalesce(
      (
        select greatest(20, least(10000, r.keys * 10,
          r.keys * 0.2 / greatest(extract(epoch from r.finished_at - r.started_at), 0.001)))
        from millrace.run_log r
        where r.kind = 'backfill' and r.name = v_d.name and v_d.backfill_after is not null
        order by r.id desc
        limit 1
      ),
      case
        when millrace.table_size(v_d.source, v_d.through, v_d.target) < 4 * 1024 * 1024 then 2000
        else 100
      end
    );
  end if;
  begin
    v_run := millrace.reconcile_target(array[v_d.name], true, v_d.backfill_after, v_size);
  exception
    when data_exception or raise_exception or syntax_error_or_access_rule_violation
      or integrity_constraint_violation or feature_not_supported or program_limit_exceeded
    then
      perform millrace.fail(v_d.name, sqlstate || ': ' || sqlerrm);
      return true;
  end;
  insert into millrace.run_log (kind, name, started_at, keys)
    values ('backfill', v_d.name, v_started, v_run.checked);
  if v_run.checked < v_size or not millrace.is_indexed(v_d) then
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
