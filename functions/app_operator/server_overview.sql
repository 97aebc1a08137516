/*
 * The server at a glance, and what the caller may not see of it. Runs as its caller, whose rights
 * it describes.
 */
create or replace function app_operator.server_overview()
  returns app_operator.server
  language sql
  stable
  security invoker
  set search_path to ''
begin atomic
  with may as (
    select
      pg_catalog.pg_has_role('pg_read_all_stats', 'usage') as see,
      exists (
        select from pg_catalog.pg_extension e where e.extname = 'pg_stat_statements'
      ) and 'pg_stat_statements' = any (pg_catalog.regexp_split_to_array(
        coalesce(current_setting('shared_preload_libraries', true), ''), '\s*,\s*')) as statements,
      pg_catalog.has_function_privilege('app_owner', 'pg_catalog.pg_stat_reset()', 'execute')
        as reset
  )
  select
    current_setting('server_version'),
    pg_catalog.pg_postmaster_start_time(),
    pg_catalog.pg_is_in_recovery(),
    (select sum(o.numbackends)::integer from pg_catalog.pg_stat_database o),
    current_setting('max_connections')::integer,
    pg_catalog.pg_database_size(d.datid),
    100.0 * d.blks_hit / nullif(d.blks_hit + d.blks_read, 0),
    d.xact_commit,
    d.xact_rollback,
    d.deadlocks,
    d.temp_bytes,
    (select max(pg_catalog.age(o.datfrozenxid))::bigint from pg_catalog.pg_database o),
    (
      select extract(epoch from clock_timestamp() - min(a.xact_start))::double precision
      from pg_catalog.pg_stat_activity a
      where a.datid = d.datid and a.backend_type = 'client backend'
        and a.pid <> pg_catalog.pg_backend_pid()
    ),
    d.stats_reset,
    m.see,
    m.statements,
    array_remove(array[
      case when not m.see then 'sessions and statements of other roles: grant pg_monitor to '
        'app_operator, app_owner' end,
      case when not m.statements then 'statements of the server: shared_preload_libraries = '
        '''pg_stat_statements'', then create extension pg_stat_statements' end,
      case when not m.reset then 'resetStatistics: grant execute on function '
        'pg_catalog.pg_stat_reset() to app_owner' end
    ], null)
  from pg_catalog.pg_stat_database d
  cross join may m
  where d.datname = current_database();
end;

comment on function app_operator.server_overview() is
  'The database server at a glance, and what keeps these answers from being whole.';

grant execute on function app_operator.server_overview() to app_operator;
