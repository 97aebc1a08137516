/*
 * The slowest statements of this database, as pg_stat_statements counts them on the server; it may
 * be missing, and then says how it would be had. Runs as its caller: the text of others' statements
 * is for members of pg_read_all_stats.
 */
create or replace function app_operator.slowest_statements(min_mean_ms double precision default 0)
  returns setof app_operator.statement_statistics
  language plpgsql
  stable
  security invoker
  set search_path to ''
as $$
declare
  v_schema name;
begin
  select n.nspname into v_schema
  from pg_catalog.pg_extension e
  join pg_catalog.pg_namespace n on n.oid = e.extnamespace
  where e.extname = 'pg_stat_statements';
  if not found or not 'pg_stat_statements' = any (
    pg_catalog.regexp_split_to_array(
      coalesce(current_setting('shared_preload_libraries', true), ''), '\s*,\s*'))
  then
    raise exception 'pg_stat_statements is not there' using
      errcode = 'OP021',
      detail = case
        when v_schema is null then 'The extension is not in this database.'
        else 'The server has not loaded it.'
      end,
      hint = 'Add it to shared_preload_libraries, restart, create extension pg_stat_statements. '
        'Until then slowStatements has what the hosts of the API have measured.';
  end if;
  return query execute format(
    'select s.queryid::text, s.query, pg_catalog.pg_get_userbyid(s.userid)::text, s.calls,
      s.total_exec_time, s.mean_exec_time, s.max_exec_time, s.rows,
      100.0::double precision * s.shared_blks_hit
        / nullif(s.shared_blks_hit + s.shared_blks_read, 0)
    from %I.pg_stat_statements s
    where s.dbid = (
        select d.oid from pg_catalog.pg_database d where d.datname = current_database())
      and s.mean_exec_time >= $1
    order by s.total_exec_time desc, s.queryid',
    v_schema) using coalesce(slowest_statements.min_mean_ms, 0);
end
$$;

comment on function app_operator.slowest_statements(double precision) is
  'Statements by the time they took in all, with a mean of at least min_mean_ms, as '
  'pg_stat_statements counts them. OP021 where it is not installed.';

grant execute on function app_operator.slowest_statements(double precision) to app_operator;
