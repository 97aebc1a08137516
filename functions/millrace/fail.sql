/*
 * Marks a derivation as failed: it leaves the drain, exact reads recount, and the tick lets it be
 * counted again after a wait that doubles with each failure, from one second to an hour.
 */
create or replace function millrace.fail(name text, error text)
  returns void
  language plpgsql
  volatile
  set search_path to ''
as $$
begin
  update millrace.derivation d
    set
      state = 'failed',
      failures = d.failures + 1,
      last_error = fail.error,
      last_error_at = clock_timestamp(),
      retry_at = clock_timestamp()
        + least(interval '1 hour', interval '1 second' * 2 ^ least(d.failures, 12)),
      backfill_after = null,
      kept = d.kind = 'counter'
    where d.name = fail.name;
  insert into millrace.run_log (kind, name, started_at, error)
    values ('failure', fail.name, clock_timestamp(), fail.error);
end
$$;

comment on function millrace.fail(text, text) is
  'Marks a derivation as failed, to be counted again later.';
