/*
 * The lock of one derived relation: its job, a reconcile of it and its declaration take it, so only
 * one of them works at a time. Taken in a statement of its own, so that every later statement sees
 * what the one before it committed: a run with an older snapshot would move the relation back in
 * time. Writers, readers and drains never take it. Who needs the engine's lock too takes this one
 * first, except a declaration, which must not find the job waiting for it (see finish_rebuild).
 */
create or replace function millrace.lock_relation(id bigint)
  returns void
  language sql
  volatile
  set search_path to ''
return pg_advisory_xact_lock(hashtextextended('millrace relation', lock_relation.id));

comment on function millrace.lock_relation(bigint) is
  'Waits for the lock of a derived relation and holds it to the end of the transaction.';
