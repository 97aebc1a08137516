/*
 * Gives back the jobs of hosts that are silent for ten seconds. Their tasks are SQL in transactions
 * and may run again; a host that was only asleep finds that its job is no longer its own. A host
 * that was seen in the future was seen before the clock was set back: it has ten seconds from now.
 */
create or replace function millrace.release_dead_hosts()
  returns void
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_hosts text[];
begin
  if not exists (
    select from millrace.host h
    where clock_timestamp() not between h.seen_at - interval '10 seconds'
      and h.seen_at + interval '10 seconds'
  ) then
    return;
  end if;
  update millrace.host h set seen_at = clock_timestamp()
    where h.seen_at > clock_timestamp() + interval '10 seconds';
  with dead as (
    delete from millrace.host h
    where h.seen_at < clock_timestamp() - interval '10 seconds'
    returning h.id
  )
  select array_agg(dead.id) into v_hosts from dead;
  if to_regprocedure('graphile_worker.force_unlock_workers(text[])') is not null then
    execute 'select graphile_worker.force_unlock_workers($1)' using v_hosts;
  end if;
end
$$;

comment on function millrace.release_dead_hosts() is
  'Gives back the jobs of hosts whose heartbeat stopped ten seconds ago.';
