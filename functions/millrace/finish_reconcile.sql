/*
 * Logs a reconcile: one row of run_log for each derivation, one of drift_log where there was drift;
 * forgets the evidence that it has used.
 */
create or replace function millrace.finish_reconcile(
  results jsonb, repair boolean, started timestamptz, complete boolean default true
)
  returns setof millrace.reconciliation
  language sql
  volatile
  set search_path to ''
begin atomic
  with found as materialized (
    select
      d.name,
      (r.value ->> 'checked')::bigint as keys_checked,
      (r.value ->> 'drifted')::bigint as keys_drifted,
      (r.value ->> 'drift')::numeric as drift,
      (r.value ->> 'drifted')::bigint > 0 and finish_reconcile.repair as repaired,
      case when (r.value ->> 'drifted')::bigint > 0 then millrace.drift_cause(d) end as cause,
      r.value -> 'examples' as examples
    from jsonb_each(finish_reconcile.results) r
    join millrace.derivation d on d.name = r.key
  ),
  run as (
    insert into millrace.run_log (kind, name, started_at, keys)
    select 'reconcile', f.name, finish_reconcile.started, f.keys_checked from found f
  ),
  drift as (
    insert into millrace.drift_log
      (name, keys_checked, keys_drifted, drift, repaired, cause, examples)
    select f.name, f.keys_checked, f.keys_drifted, f.drift, f.repaired, f.cause, f.examples
    from found f where f.keys_drifted > 0
  ),
  reconciled as (
    update millrace.derivation d set last_reconciled_at = clock_timestamp()
    from found f
    where d.name = f.name and finish_reconcile.complete
      and (finish_reconcile.repair or f.keys_drifted = 0)
  )
  select f.name, f.keys_checked, f.keys_drifted, f.drift, f.repaired, f.cause, f.examples
  from found f order by f.name;
end;

comment on function millrace.finish_reconcile(jsonb, boolean, timestamptz, boolean) is
  'Logs what a reconcile found.';
