/*
 * Stops keeping a derivation: drains leave it out. Its exact or live read stays right, by a
 * recount; what is stored stays as it is. Writers go on appending to the log for the other
 * derivations of their table. A paused reaction is still told what changes, and runs when it is
 * resumed.
 */
create or replace function millrace.pause(name text)
  returns void
  language plpgsql
  volatile
  set search_path to ''
as $$
begin
  perform millrace.lock_engine();
  perform millrace.derivation_named(pause.name);
  update millrace.derivation d
    set state = 'paused', backfill_after = null, kept = d.kind = 'counter'
    where d.name = pause.name;
end
$$;

comment on function millrace.pause(text) is
  'Stops keeping a derivation until resume; its exact or live read recounts meanwhile. MR012 for '
  'an unknown name.';
