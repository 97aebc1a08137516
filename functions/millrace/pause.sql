/*
 * Stops keeping a derivation: drains leave it out. Its exact read stays right, by a recount; the
 * stored value stays as it is. Writers go on appending to the log for the other derivations of
 * their table.
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
  update millrace.derivation d set state = 'paused', backfill_after = null
    where d.name = pause.name;
end
$$;

comment on function millrace.pause(text) is
  'Stops keeping a derivation until resume; its exact read recounts meanwhile. MR012 for an '
  'unknown name.';
