/*
 * Schedules what is due as graphile-worker jobs; part of the tick, under the engine's lock, and the
 * only place that calls add_job. What waits stays in the work tables until a job has it: a
 * reaction's marks are deleted in the transaction that adds its job, a relation's by the job
 * itself. So a job that is lost, or not accepted (add_job returns null while a job of that key is
 * being claimed), is asked for again by the next tick.
 *
 * A job is known by its id: while it exists, waiting, running or between two attempts, no other is
 * added for its key. That is what makes one run at a time, and a rerun for what changed meanwhile.
 * Relations are scheduled after what they read (their upstream), unless they have waited for twice
 * their max_wait. Returns whether more is due than it scheduled; null when nothing waits and
 * nothing runs.
 */
create or replace function millrace.schedule(size integer default 200)
  returns boolean
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_waiting constant bigint[] := millrace_log.waiting_derivations();
  v_now constant timestamptz := clock_timestamp();
  v_looked timestamptz;
  v_busy regclass[] := '{}';
  v_d record;
  v_first_at timestamptz;
  v_due_at timestamptz;
  v_job bigint;
  v_more boolean := false;
begin
  if cardinality(v_waiting) = 0
    and not exists (select from millrace.run r where r.job_id is not null)
    and not exists (
      select from millrace.derivation d where d.state = 'backfilling' and d.kind <> 'counter'
    )
    or to_regclass('graphile_worker.jobs') is null
  then
    return null;
  end if;
  perform millrace.follow_jobs();
  perform millrace.mark_all(d.id)
    from millrace.derivation d where d.kind = 'react' and d.state = 'backfilling';

  for v_d in
    with recursive depth(id, level) as (
      select d.id, 0 from millrace.derivation d
      where d.kind <> 'counter' and d.state in ('active', 'backfilling')
        and (d.id = any (v_waiting) or d.state = 'backfilling')
      union
      -- what reads it comes after it, over however many relations that are fresh
      select u.derivation, depth.level + 1
      from depth
      join millrace.derivation d on d.id = depth.id
      join millrace.dependency u on u.upstream = d.target
      where depth.level < 100
    )
    select d.id, d.name, d.kind, d.strategy, d.state, d.target, d.debounce, d.max_wait,
      r.job_id, r.look_at
    from (select depth.id, max(depth.level) as level from depth group by depth.id) o
    join millrace.derivation d
      on d.id = o.id and d.state in ('active', 'backfilling')
      and (d.id = any (v_waiting) or d.state = 'backfilling')
    left join millrace.run r on r.derivation = d.id and r.key = '[]'
    order by o.level, d.id
  loop
    if v_d.job_id is not null then
      v_busy := v_busy || v_d.target;
      continue;
    end if;
    continue when v_d.state = 'active'
      and v_d.look_at between v_now and v_now + interval '1 second';
    if v_d.kind = 'react' then
      v_more := millrace.schedule_keys(v_d.id, schedule.size) or v_more;
      continue;
    end if;
    v_looked := clock_timestamp();
    v_first_at := case when v_d.strategy = 'incremental' then millrace.oldest_mark(v_d.id) end;
    v_due_at := '-infinity';
    if not coalesce(millrace.is_due(v_first_at, v_now, v_d.debounce, v_d.max_wait), false) then
      select min(w.due_at), min(w.first_at) into v_due_at, v_first_at
        from millrace.waiting(v_d.id) w;
    end if;
    if v_d.state = 'active' and v_due_at > v_now then
      -- not more often than costs a twentieth of the time
      update millrace.run r
        set look_at = greatest(
          least(v_due_at, v_now + interval '200 ms'),
          clock_timestamp() + (clock_timestamp() - v_looked) * 20)
        where r.derivation = v_d.id and r.key = '[]';
      continue;
    end if;
    v_busy := v_busy || v_d.target;
    continue when exists (
      select from millrace.dependency u
      where u.derivation = v_d.id and u.upstream = any (v_busy)
    ) and (v_first_at is null or v_first_at + v_d.max_wait * 2 > v_now);
    v_job := millrace.add_job(
      case v_d.strategy when 'refresh' then 'refresh' else 'recompute' end,
      jsonb_build_object('name', v_d.name), v_d.name);
    if v_job is not null then
      update millrace.run r set job_id = v_job, queued_at = v_now, look_at = null
        where r.derivation = v_d.id and r.key = '[]';
    end if;
  end loop;
  return v_more;
end
$$;

comment on function millrace.schedule(integer) is
  'Schedules what is due as graphile-worker jobs; true if more is due, null if nothing waits.';
