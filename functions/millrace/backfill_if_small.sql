/*
 * Counts a small derivation at once, inside the declaration: the lock that the declaration holds on
 * the source would make writers wait while a large one is counted, so those are left to the drains.
 */
create or replace function millrace.backfill_if_small(name text)
  returns void
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_small constant boolean := (
    select pg_table_size(d.source) + coalesce(pg_table_size(d.through), 0)
      + pg_table_size(d.target) < 16 * 1024 * 1024
    from millrace.derivation d where d.name = backfill_if_small.name
  );
begin
  while v_small and current_setting('transaction_isolation') = 'read committed' and exists (
    select from millrace.derivation d
    where d.name = backfill_if_small.name and d.state = 'backfilling'
  ) loop
    perform millrace.backfill();
  end loop;
end
$$;

comment on function millrace.backfill_if_small(text) is
  'Counts a derivation at once if its tables are small.';
