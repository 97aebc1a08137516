/*
 * Forgets what operations has no more use for: samples after two days, slow statements that were
 * not slow for 14, resolved alerts after 180, and runs of the tasks that run every few minutes
 * after a day (what failed stays as long as other runs).
 */
create or replace function app_private.clean_up_operations()
  returns bigint
  language sql
  volatile
  set search_path to ''
as $$
  with samples as (
    delete from app_private.host_sample s
    where s.minute < clock_timestamp() - interval '2 days' returning 1
  ),
  counters as (
    delete from app_private.database_sample s
    where s.sampled_at < clock_timestamp() - interval '2 days' returning 1
  ),
  statements as (
    delete from app_private.slow_statement s
    where s.last_seen_at < clock_timestamp() - interval '14 days' returning 1
  ),
  alerts as (
    delete from app_operator.alert a
    where a.fired_at < clock_timestamp() - interval '180 days' and a.resolved_at is not null
    returning 1
  ),
  runs as (
    delete from millrace.run_log r
    where r.finished_at < clock_timestamp() - interval '1 day'
      and r.kind = 'schedule' and r.error is null
      and r.name in ('monitor', 'expire_access', 'watch_statistics', 'expire_intro_requests')
    returning 1
  ),
  indexes as (
    delete from app_private.index_use u
    where not exists (select from pg_catalog.pg_class c where c.oid = u.index_id) returning 1
  )
  select count(*) from (
    table samples union all table counters union all table statements union all table alerts
    union all table runs union all table indexes
  ) gone;
$$;

comment on function app_private.clean_up_operations() is
  'Deletes old samples, slow statements, alerts and runs; returns how many rows.';
