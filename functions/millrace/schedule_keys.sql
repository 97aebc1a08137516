/*
 * Adds a job for each key of a reaction that is due and has none, and takes its marks: both or
 * neither. What changes from now on is marked anew and causes another run. Returns whether more is
 * due than it took.
 */
create or replace function millrace.schedule_keys(id bigint, size integer)
  returns boolean
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_d millrace.derivation;
  v_started constant timestamptz := clock_timestamp();
  v_key jsonb;
  v_job bigint;
  v_count integer := 0;
  v_next timestamptz;
  v_looked timestamptz;
begin
  select d.* into strict v_d from millrace.derivation d where d.id = schedule_keys.id;
  for v_key in
    select w.key
    from millrace.waiting(v_d.id) w
    left join millrace.run r on r.derivation = v_d.id and r.key = w.key
    where w.due_at <= v_started and r.job_id is null
    order by w.due_at
    limit schedule_keys.size
  loop
    v_job := millrace.add_job(
      v_d.task,
      (
        select jsonb_object_agg(k.name, v_key -> (k.position - 1)::integer)
        from unnest(v_d.target_key) with ordinality k(name, position)
      ),
      concat(v_d.name, ':', v_key));
    continue when v_job is null;
    insert into millrace.run as r (derivation, key, job_id, queued_at)
      values (v_d.id, v_key, v_job, clock_timestamp())
      on conflict (derivation, key) do update set
        job_id = excluded.job_id, queued_at = excluded.queued_at, dead_at = null;
    execute format('delete from %s w where (%s) = (select %s from (select $1 as e) k)',
      millrace.qualified_name(v_d.work),
      millrace.list(v_d.target_key, 'w.%I'),
      millrace.json_key_sql(v_d, 'k.e'))
      using v_key;
    v_count := v_count + 1;
  end loop;
  if v_count > 0 then
    update millrace.progress p set taken_rows = p.taken_rows + v_count
      where p.derivation = v_d.id;
  end if;
  v_looked := clock_timestamp();
  select min(w.due_at) into v_next
    from millrace.waiting(v_d.id) w
    left join millrace.run r on r.derivation = v_d.id and r.key = w.key
    where r.job_id is null;
  insert into millrace.run as r (derivation, key, look_at)
    -- looking costs a twentieth of the time at most; what adding jobs has cost does not count
    values (v_d.id, '[]', greatest(
      least(v_next, v_started + interval '200 ms'),
      clock_timestamp() + (clock_timestamp() - v_looked) * 20))
    on conflict (derivation, key) do update set look_at = excluded.look_at;
  return v_count >= schedule_keys.size;
end
$$;

comment on function millrace.schedule_keys(bigint, integer) is
  'Adds jobs for the keys of a reaction that are due; true if more are.';
