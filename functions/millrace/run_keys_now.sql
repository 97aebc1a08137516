/*
 * Adds the jobs of a reaction's waiting and dead keys without waiting any longer; returns how many.
 * Keys whose job is under way are left to it.
 */
create or replace function millrace.run_keys_now(id bigint)
  returns bigint
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_d millrace.derivation;
  v_count bigint;
begin
  select d.* into strict v_d from millrace.derivation d where d.id = run_keys_now.id;
  if v_d.state = 'backfilling' then
    perform millrace.mark_all(v_d.id);
  end if;
  if to_regclass('graphile_worker.jobs') is null then
    raise exception 'There is no graphile_worker in this database' using
      errcode = 'MR032',
      detail = 'A reaction runs a task of graphile-worker.',
      hint = 'Start npm run worker once: it installs its schema.';
  end if;
  perform millrace.follow_jobs();
  -- dead keys wait again, and nothing waits for the moment
  execute format(
    E'insert into %s (first_at, %s)\n'
    'select clock_timestamp(), k.*\n'
    'from millrace.run r\n'
    'cross join lateral (select %s) k\n'
    'where r.derivation = $1 and r.dead_at is not null',
    millrace.qualified_name(v_d.work),
    millrace.list(v_d.target_key),
    millrace.json_key_sql(v_d, 'r.key'))
    using v_d.id;
  update millrace.run r set dead_at = null, queued_at = null
    where r.derivation = v_d.id and r.job_id is null;
  execute format('update %s set marked_at = marked_at - $1', millrace.qualified_name(v_d.work))
    using v_d.debounce;
  select count(*) into v_count
    from millrace.waiting(v_d.id) w
    left join millrace.run r on r.derivation = v_d.id and r.key = w.key
    where r.job_id is null;
  perform millrace.schedule_keys(v_d.id, greatest(v_count, 1)::integer);
  return v_count;
end
$$;

comment on function millrace.run_keys_now(bigint) is
  'Adds the jobs of a reaction''s waiting and dead keys at once; returns how many.';
