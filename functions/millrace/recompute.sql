/*
 * The job of a derived relation (tasks/recompute.sql, tasks/refresh.sql): recomputes what is due,
 * each batch a transaction of its own, in the order of the key. Takes {"name": "..."}. Several may
 * be called at once: one works. What is marked while it runs waits for the next run, which the tick
 * schedules.
 */
create or replace procedure millrace.recompute(payload jsonb)
  language plpgsql
as $$
declare
  v_id constant bigint := (
    select d.id from millrace.derivation d
    where d.name = payload ->> 'name' and d.kind = 'materialize'
  );
  v_was_kept boolean;
  v_batch jsonb := '{"after": null}';
  v_after text[];
begin
  select d.kept into v_was_kept from millrace.derivation d where d.id = v_id;
  perform millrace.add_columns(v_id);
  commit;
  loop
    -- a derivation that was dropped since the job was scheduled wants nothing
    exit when v_id is null;
    v_batch := millrace.recompute_batch(v_id, v_after);
    commit;
    exit when v_batch is null or not (v_batch ->> 'more')::boolean;
    v_after := array(select jsonb_array_elements_text(v_batch -> 'after'));
  end loop;
  if not v_was_kept and v_batch is not null then
    -- the planner knows nothing yet about what was just filled
    perform millrace.analyze_relation(v_id);
    commit;
  end if;
end
$$;

comment on procedure millrace.recompute(jsonb) is
  'Recomputes what is due of a derived relation ({"name": "..."}), a transaction a batch.';
