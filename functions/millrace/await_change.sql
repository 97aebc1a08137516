/*
 * Waits until a transaction has ended since a tick found nothing, at most for patience: what ticks
 * a host would send in vain. While the snapshot's xmax is the one that the tick saw, and nothing
 * below it ran then, no snapshot differs from the tick's. What is due at a time and not by a change
 * (a failed derivation, a dead host) waits for patience.
 *
 * It sleeps before it looks: where others write all the time what nobody here reads, a tick in vain
 * follows another after a fifth of a second, and not at once. The caller's snapshot is open
 * meanwhile, for so long at most once something has ended that it could hold back.
 */
create or replace function millrace.await_change(
  seen xid8, patience interval default '1 second'
)
  returns boolean
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_started constant timestamptz := clock_timestamp();
begin
  loop
    perform pg_sleep(0.2);
    if pg_snapshot_xmax(pg_current_snapshot()) <> await_change.seen then
      return true;
    end if;
    -- a clock that was set back ends the wait, too
    exit when clock_timestamp() not between v_started and v_started + await_change.patience;
  end loop;
  return false;
end
$$;

comment on function millrace.await_change(xid8, interval) is
  'Waits until a transaction has ended since a tick returned this as "seen", 0.2 s at least; false '
  'if none has for so long. In read committed.';
