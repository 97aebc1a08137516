/*
 * Reconcile for large tables in use: every batch of keys is a transaction of its own, and between
 * them drains go on. Takes a job's payload: {"name": "…", "repair": true, "size": 2000}, all
 * optional; repair is the default, because a schedule that only reports leaves the readers with the
 * wrong number.
 */
create or replace procedure millrace.reconcile_batches(payload jsonb default '{}')
  language plpgsql
as $$
declare
  v_repair constant boolean := coalesce((payload ->> 'repair')::boolean, true);
  v_size constant integer := coalesce((payload ->> 'size')::integer, 2000);
  v_target record;
  v_run record;
  v_after text[];
  v_results jsonb;
  v_started timestamptz;
begin
  if payload ->> 'name' is not null then
    perform millrace.derivation_named(payload ->> 'name');
  end if;
  for v_target in
    select t.names from millrace.reconciled_together(payload ->> 'name') t
  loop
    v_started := clock_timestamp();
    v_after := null;
    v_results := '{}';
    loop
      perform millrace.lock_engine();
      v_run := millrace.reconcile_target(v_target.names, v_repair, v_after, v_size);
      v_results := millrace.add_results(v_results, v_run.results);
      v_after := v_run.last_key;
      commit;
      exit when v_run.checked <> v_size;
    end loop;
    perform millrace.finish_reconcile(v_results, v_repair, v_started);
    commit;
  end loop;
end
$$;

comment on procedure millrace.reconcile_batches(jsonb) is
  'Reconciles one derivation (name) or all, a transaction a batch; repairs unless told otherwise.';
