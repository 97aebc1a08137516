/*
 * Brings a derivation up to date without waiting for the ticker: makes it afresh if it is being
 * made or has failed, drains until nothing is left that was there when it began, and runs what
 * waits, due or not: a derived relation is recomputed here and now, a reaction's jobs are added,
 * those of dead keys too.
 */
create or replace function millrace.run_now(name text)
  returns jsonb
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_d millrace.derivation;
  v_drain jsonb;
  v_batch jsonb;
  v_after text[];
  v_rows bigint := 0;
  v_keys bigint := 0;
begin
  v_d := millrace.derivation_named(run_now.name);
  if v_d.state = 'paused' then
    raise exception '% is paused', run_now.name using
      errcode = 'MR015',
      detail = 'A paused derivation is not kept.',
      hint = format('select millrace.resume(%L);', run_now.name);
  end if;
  if v_d.kind = 'materialize' then
    perform millrace.lock_relation(v_d.id);
  end if;
  perform millrace.lock_engine();
  -- first of all, for what made it fail may still be pending: the others take it away
  for v_round in 1 .. 10 loop
    v_drain := millrace.drain(2147483647);
    v_rows := v_rows + (v_drain ->> 'rows')::bigint;
    exit when not (v_drain ->> 'more')::boolean;
  end loop;
  update millrace.derivation d
    set state = 'backfilling', backfill_after = null, retry_at = null
    where d.id = v_d.id and d.state = 'failed';
  if v_d.kind = 'counter' then
    while (select d.state = 'backfilling' from millrace.derivation d where d.id = v_d.id) loop
      perform millrace.backfill();
    end loop;
  elsif v_d.kind = 'materialize' then
    -- a job that has died keeps the next from being scheduled for an hour: no longer
    update millrace.run r set dead_at = null, last_error = null, failures = 0
      where r.derivation = v_d.id and r.dead_at is not null;
    loop
      v_batch := millrace.recompute_batch(v_d.id, v_after, everything => true);
      v_keys := v_keys + coalesce((v_batch ->> 'keys')::bigint, 0);
      exit when v_batch is null or not (v_batch ->> 'more')::boolean;
      v_after := array(select jsonb_array_elements_text(v_batch -> 'after'));
    end loop;
  else
    v_keys := millrace.run_keys_now(v_d.id);
  end if;
  v_d := millrace.derivation_named(run_now.name);
  return jsonb_build_object('name', v_d.name, 'state', v_d.state, 'rows', v_rows, 'keys', v_keys,
    'error', v_d.last_error);
end
$$;

comment on function millrace.run_now(text) is
  'Brings a derivation up to date at once; returns {name, state, rows, keys, error}. MR012 for an '
  'unknown name, MR015 for a paused one.';
