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
  if v_d.state = 'failed' then
    perform millrace.resume(run_now.name);
  end if;
  loop
    v_drain := millrace.drain();
    v_rows := v_rows + (v_drain ->> 'rows')::bigint;
    exit when not (v_drain ->> 'more')::boolean;
  end loop;
  v_d := millrace.derivation_named(run_now.name);
  return jsonb_build_object('name', v_d.name, 'state', v_d.state, 'rows', v_rows, 'error', v_d.last_error);
end
$$;

comment on function millrace.run_now(text) is
  'Drains and counts until the derivation is up to date; returns {name, state, rows, error}. '
  'MR012 for an unknown name, MR015 for a paused one.';
