/*
 * The one lock of the engine: drains, reconciles, backfills and declarations take it, so only one
 * of them works at a time in a database. Writers and readers never take it. Held to the end of the
 * transaction; taken in a statement of its own, so that every later statement sees what the one
 * before it committed.
 */
create or replace function millrace.lock_engine()
  returns void
  language sql
  volatile
  set search_path to ''
return pg_advisory_xact_lock(hashtextextended('millrace', 0));

comment on function millrace.lock_engine() is
  'Waits for the engine''s lock and holds it to the end of the transaction.';
