/*
 * Keeps a paused or failed derivation again: it is made afresh, a small one at once, a large one by
 * the next drains or its job. One that is active already stays as it is; a reaction that was paused
 * runs for what changed meanwhile.
 */
create or replace function millrace.resume(name text)
  returns void
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_d millrace.derivation;
begin
  v_d := millrace.derivation_named(resume.name);
  if v_d.kind = 'materialize' then
    -- a run that is under way has not been told what changed during the pause
    perform millrace.lock_relation(v_d.id);
  end if;
  perform millrace.lock_engine();
  v_d := millrace.derivation_named(resume.name);
  update millrace.derivation d
    set backfill_after = null, retry_at = null,
      state = case
        when d.kind = 'react' and d.state = 'paused' then 'active' else 'backfilling'
      end
    where d.id = v_d.id and d.state in ('paused', 'failed');
  if not found then
    return;
  end if;
  if v_d.kind = 'counter' then
    perform millrace.backfill_if_small(v_d.name);
  elsif v_d.kind = 'materialize' then
    perform millrace.rebuild_if_small(v_d.id);
  end if;
end
$$;

comment on function millrace.resume(text) is
  'Keeps a paused or failed derivation again and makes it afresh. MR012 for an unknown name.';
