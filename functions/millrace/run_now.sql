/*
 * Brings a derivation up to date without waiting for the ticker: counts it if it is being counted
 * or has failed, and drains until nothing is left that was there when it began.
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
  v_rows bigint := 0;
begin
  perform millrace.lock_engine();
  v_d := millrace.derivation_named(run_now.name);
  if v_d.state = 'paused' then
    raise exception '% is paused', run_now.name using
      errcode = 'MR015',
      detail = 'A paused derivation is not kept.',
      hint = format('select millrace.resume(%L);', run_now.name);
  end if;
  -- first of all, for what made it fail may still be pending: the others take it away
  for v_round in 1 .. 10 loop
    v_drain := millrace.drain(2147483647);
    v_rows := v_rows + (v_drain ->> 'rows')::bigint;
    exit when not (v_drain ->> 'more')::boolean;
  end loop;
  if v_d.state = 'failed' then
    update millrace.derivation d
      set state = 'backfilling', backfill_after = null, retry_at = null
      where d.name = run_now.name and d.state = 'failed';
  end if;
  while (select d.state = 'backfilling' from millrace.derivation d where d.name = run_now.name) loop
    perform millrace.backfill();
  end loop;
  v_d := millrace.derivation_named(run_now.name);
  return jsonb_build_object(
    'name', v_d.name, 'state', v_d.state, 'rows', v_rows, 'error', v_d.last_error);
end
$$;

comment on function millrace.run_now(text) is
  'Drains and counts until the derivation is up to date; returns {name, state, rows, error}. '
  'MR012 for an unknown name, MR015 for a paused one.';
