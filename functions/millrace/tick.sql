/*
 * The heartbeat, called by the host (or pg_cron) every 250 ms: drains, lets failed derivations be
 * made again when their wait is over, schedules the jobs that are due, and says which logs want a
 * vacuum, which cannot run inside a function. Any number of hosts may call it: one works, the
 * others return at once.
 *
 * A tick that found nothing, and nothing running that may yet commit, says in "seen" how far
 * transactions had come: until another ends there is nothing new (see await_change).
 */
create or replace function millrace.tick()
  returns jsonb
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_snapshot constant pg_snapshot := pg_current_snapshot();
  v_due boolean;
  v_drain jsonb;
  v_vacuum jsonb := '[]';
begin
  v_drain := millrace.drain();
  if v_drain ? 'busy' then
    return v_drain;
  end if;
  if (v_drain ->> 'rows')::bigint > 0 then
    -- where rows came, more are likely to follow: do not sleep
    v_drain := v_drain || '{"more": true}';
  end if;
  if exists (
    select from millrace.derivation d
    where d.state = 'failed' and clock_timestamp() not between d.last_error_at and d.retry_at
  ) then
    -- not while a job is at work on a relation: what drains did not tell it would be missing
    update millrace.derivation d set state = 'backfilling', backfill_after = null
      where case
        when d.state = 'failed' and clock_timestamp() not between d.last_error_at and d.retry_at
        then d.kind <> 'materialize' or millrace.try_lock_relation(d.id)
        else false
      end;
    v_drain := v_drain || '{"more": true}';
  end if;
  perform millrace.release_dead_hosts();
  v_due := millrace.schedule();
  if v_due then
    v_drain := v_drain || '{"more": true}';
  end if;
  if exists (select from millrace.source s where s.drained_rows >= 20000)
    or exists (select from millrace.progress p where p.taken_rows >= 20000)
  then
    with log as (
      update millrace.source s set drained_rows = 0 where s.drained_rows >= 20000
      returning s.log as relation
    ),
    work as (
      update millrace.progress p set taken_rows = 0
      from millrace.derivation d, (
        -- a job at work holds its row: another time
        select q.derivation from millrace.progress q
        where q.taken_rows >= 20000 for update skip locked
      ) q
      where d.id = p.derivation and q.derivation = p.derivation
      returning d.work as relation
    )
    select jsonb_agg(millrace.qualified_name(due.relation)) into v_vacuum
      from (table log union all table work) due;
  end if;
  if v_due is null and v_drain @> '{"more": false}'
    and pg_snapshot_xmin(v_snapshot) = pg_snapshot_xmax(v_snapshot)
  then
    v_drain := v_drain || jsonb_build_object('seen', pg_snapshot_xmax(v_snapshot)::text);
  end if;
  return v_drain || jsonb_build_object('vacuum', v_vacuum);
end
$$;

comment on function millrace.tick() is
  'Drains and schedules what is due; to be called every 250 ms, at once again while the result '
  'has "more": true, and where it has "seen" after await_change of that. Returns what drain '
  'returns, and in "vacuum" the logs that the caller should vacuum now.';
