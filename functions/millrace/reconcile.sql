/*
 * Compares what is derived with a recount, and with repair => true puts it right. Writers and
 * readers are not touched; drains wait until the transaction ends. For large tables in use prefer
 * call millrace.reconcile_batches('{"repair": true}'), which commits after every batch.
 *
 * Drift is never routine: whatever is found is logged in drift_log with its likely cause.
 */
create or replace function millrace.reconcile(name text default null, repair boolean default false)
  returns setof millrace.reconciliation
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_d millrace.derivation;
  v_target record;
  v_run record;
  v_after text[];
  v_results jsonb;
  v_started timestamptz;
  v_finished jsonb := '[]';
begin
  perform millrace.derivation_named(reconcile.name) where reconcile.name is not null;
  -- relations first: their locks come before the engine's
  for v_d in select r.* from millrace.reconciled_relations(reconcile.name) r loop
    v_started := clock_timestamp();
    v_after := null;
    v_results := '{}';
    continue when v_d.kind = 'react';
    perform millrace.lock_relation(v_d.id);
    loop
      v_run := millrace.reconcile_relation(v_d.id, reconcile.repair, v_after);
      exit when v_run.results is null;
      v_results := millrace.add_results(v_results, v_run.results);
      v_after := v_run.last_key;
      exit when v_after is null;
    end loop;
    v_finished := v_finished
      || jsonb_build_array(jsonb_build_object('results', v_results, 'started', v_started));
  end loop;

  -- what it found is noted in rows that others write under the engine's lock: that comes first
  perform millrace.lock_engine();
  return query
    select r.*
    from jsonb_array_elements(v_finished) f
    cross join lateral millrace.finish_reconcile(
      f -> 'results', reconcile.repair, (f ->> 'started')::timestamptz) r;
  return query
    select r.*
    from millrace.reconciled_relations(reconcile.name) d
    cross join lateral millrace.finish_reconcile(
      millrace.reconcile_reaction(d.id, reconcile.repair), reconcile.repair,
      clock_timestamp()) r
    where d.kind = 'react';
  -- what is still being counted for the first time, or again, is counted to the end, not reported
  while reconcile.repair and exists (
    select from millrace.derivation d
    where d.state = 'backfilling' and d.kind = 'counter'
      and (reconcile.name is null or d.name = reconcile.name)
  ) loop
    perform millrace.backfill();
  end loop;
  -- wait for these tables now, and not when rows of a target are locked
  execute (
    select coalesce(
      'lock table ' || string_agg(distinct millrace.qualified_name(r.relation), ', ')
        || ' in access share mode',
      'select')
    from millrace.derivation d
    cross join unnest(array[d.source, d.through, d.target]) r(relation)
    where d.kind = 'counter'
  );
  perform millrace.check_snapshot();
  for v_target in
    select t.names from millrace.reconciled_together(reconcile.name) t
  loop
    v_started := clock_timestamp();
    v_after := null;
    v_results := '{}';
    loop
      v_run := millrace.reconcile_target(v_target.names, reconcile.repair, v_after, 2000);
      v_results := millrace.add_results(v_results, v_run.results);
      v_after := v_run.last_key;
      exit when v_run.checked <> 2000;
    end loop;
    return query
      select r.* from millrace.finish_reconcile(v_results, reconcile.repair, v_started) r;
  end loop;
end
$$;

comment on function millrace.reconcile(text, boolean) is
  'Compares what is derived with a recount: one row for each derivation, with the keys that differ,'
  ' the sum of the differences, the likely cause and examples. repair puts it right. MR012 for an '
  'unknown name.';
