/*
 * As lock_relation, but returns false instead of waiting: whoever holds the lock is doing the work
 * already.
 */
create or replace function millrace.try_lock_relation(id bigint)
  returns boolean
  language sql
  volatile
  set search_path to ''
return pg_try_advisory_xact_lock(hashtextextended('millrace relation', try_lock_relation.id));

comment on function millrace.try_lock_relation(bigint) is
  'Takes the lock of a derived relation if it is free.';
