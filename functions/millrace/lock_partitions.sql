/*
 * The lock of the upkeep of one table's partitions: only one step of it happens at a time. Held to
 * the end of the transaction; nobody else takes it, so a removal may hold it for as long as it
 * reads the rows that go.
 */
create or replace function millrace.lock_partitions(relation regclass)
  returns void
  language sql
  volatile
  set search_path to ''
return pg_advisory_xact_lock(
  hashtextextended('millrace partitions', lock_partitions.relation::oid::bigint));

comment on function millrace.lock_partitions(regclass) is
  'Waits for the lock of the upkeep of a table''s partitions and holds it to the end of the '
  'transaction.';
