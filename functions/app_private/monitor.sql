/*
 * What happens every minute: the database's counters are noted, then the alert rules are evaluated.
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
  return query select e.rule_name, e.event from app_private.evaluate_alerts() e;
end
$$;

comment on function app_private.monitor() is
  'Notes the database''s counters and evaluates the alert rules.';
