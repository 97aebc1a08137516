/*
 * Counts a small derivation at once, inside the declaration: the lock that the declaration holds on
 * the source would make writers wait while a large one is counted, so those are left to the drains.
 * How long counting takes is not known from the size alone, and another derivation may be at work
 * before this one: what is not done within a tenth of a second is left to the drains, too.
 */
create or replace function millrace.backfill_if_small(name text)
  returns void
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_started constant timestamptz := clock_timestamp();
  v_bytes constant bigint := (
    select millrace.table_size(d.source, d.through, d.target)
    from millrace.derivation d where d.name = backfill_if_small.name
  );
begin
  while v_bytes < 1024 * 1024
    and current_setting('transaction_isolation') = 'read committed'
    and exists (
      select from millrace.derivation d
      where d.name = backfill_if_small.name and d.state = 'backfilling'
    )
  loop
    perform millrace.backfill();
    exit when clock_timestamp() > v_started + interval '100 milliseconds';
  end loop;
end
$$;

comment on function millrace.backfill_if_small(text) is
  'Counts a derivation at once if its tables are small.';
