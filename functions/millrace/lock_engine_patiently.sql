/*
 * Takes the engine's lock at the end of a rebuild, which holds the relation's lock. A declaration
 * may hold the engine's lock and wait for the relation's: asking now and then instead of waiting
 * keeps the two from being a deadlock, of which Postgres would end either; here the rebuild gives
 * way, because the declaration will want another.
 */
create or replace function millrace.lock_engine_patiently()
  returns void
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_until constant timestamptz := clock_timestamp() + interval '30 seconds';
begin
  while not millrace.try_lock_engine() loop
    if clock_timestamp() > v_until then
      raise exception 'The engine''s lock was not to be had for 30 seconds' using
        errcode = 'lock_not_available',
        detail = 'A declaration or a reconcile holds it.',
        hint = 'Try again.';
    end if;
    perform pg_sleep(0.01);
  end loop;
end
$$;

comment on function millrace.lock_engine_patiently() is
  'Takes the engine''s lock without waiting for it in Postgres'' queue; 55P03 after 30 seconds.';
