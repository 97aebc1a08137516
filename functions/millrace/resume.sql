/*
 * Keeps a paused or failed derivation again: it is recounted, a small one at once, a large one by
 * the next drains. One that is active already stays as it is.
 */
create or replace function millrace.resume(name text)
  returns void
  language plpgsql
  volatile
  set search_path to ''
as $$
begin
  perform millrace.lock_engine();
  perform millrace.derivation_named(resume.name);
  update millrace.derivation d set state = 'backfilling', backfill_after = null, retry_at = null
    where d.name = resume.name and d.state in ('paused', 'failed');
  perform millrace.backfill_if_small(resume.name);
end
$$;

comment on function millrace.resume(text) is
  'Keeps a paused or failed derivation again and recounts it. MR012 for an unknown name.';
