/*
 * As lock_engine, but returns false instead of waiting: whoever holds the lock is doing the work
 * already.
 */
create or replace function millrace.try_lock_engine()
  returns boolean
  language sql
  volatile
  set search_path to ''
return pg_try_advisory_xact_lock(hashtextextended('millrace', 0));

comment on function millrace.try_lock_engine() is 'Takes the engine''s lock if it is free.';
