/*
 * Notes that the logs hold no row of a transaction older than since (see undrained). The caller has
 * emptied them, in this transaction, of all that a snapshot sees whose oldest running transaction
 * that is; number is its run. In a subtransaction the note is void, which costs reads but does not
 * mislead them.
 */
create or replace function millrace.move_horizon(since xid8, number bigint)
  returns void
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_last constant bigint := (
    select h.number from millrace.horizon h order by h.number desc limit 1
  );
begin
  insert into millrace.horizon (number, since, written_by)
    values (move_horizon.number, move_horizon.since, pg_current_xact_id()::xid);
  delete from millrace.horizon h where h.number = v_last;
end
$$;

comment on function millrace.move_horizon(xid8, bigint) is
  'Notes up to which transaction the logs are empty.';
