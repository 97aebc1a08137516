/*
 * Notes that a statement other than the engine's wrote a derived column. It is not refused:
 * restores and repairs by hand must work; but reconcile can name who did it.
 */
create or replace function millrace.tg_target__note_direct_write()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path to pg_catalog, pg_temp
as $$
begin
  insert into millrace.direct_write (target, target_column) values (tg_relid, tg_argv[0]);
  return null;
end
$$;

revoke all on function millrace.tg_target__note_direct_write() from public;

comment on function millrace.tg_target__note_direct_write() is
  'Notes a statement that wrote a derived column past the engine.';
