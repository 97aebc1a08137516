/*
 * What happens every minute: the database's counters are noted, then the alert rules are evaluated.
 * A delivery that has waited for a day has lost its job (a worker that died at the last attempt):
 * it is dead, for the operator to see.
 */
create or replace function app_private.monitor()
  returns table (rule_name text, event text)
  language plpgsql
  volatile
  set search_path to ''
as $$
begin
  insert into app_private.database_sample
    (sampled_at, blocks_hit, blocks_read, commits, rollbacks, deadlocks, temporary_bytes,
      connections)
  select clock_timestamp(), s.blks_hit, s.blks_read, s.xact_commit, s.xact_rollback, s.deadlocks,
    s.temp_bytes, s.numbackends
  from pg_catalog.pg_stat_database s
  where s.datname = current_database();
  update app_operator.alert_delivery d
    set state = 'dead', last_error = coalesce(d.last_error, 'its job is gone')
    where d.state = 'pending'
      and coalesce(d.attempted_at, d.created_at) < clock_timestamp() - interval '1 day';
  return query select e.rule_name, e.event from app_private.evaluate_alerts() e;
end
$$;

comment on function app_private.monitor() is
  'Notes the database''s counters and evaluates the alert rules.';
