/*
 * Starts all counting afresh: Postgres' statistics of this database, pg_stat_statements where it is
 * and may be reset, and the slow statements of the hosts. What indexes are used for is counted on:
 * advice would have to begin again.
 */
create or replace function app_operator.reset_statistics()
  returns boolean
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
declare
  v_reset text;
begin
  if not pg_catalog.has_function_privilege('pg_catalog.pg_stat_reset()', 'execute') then
    raise exception 'The statistics of Postgres cannot be reset by this role' using
      errcode = 'OP023',
      detail = format('Role %s may not execute pg_stat_reset().', current_user),
      hint = 'As a superuser: grant execute on function pg_catalog.pg_stat_reset() to app_owner;';
  end if;
  -- planner and autovacuum live on the row counts that go with them: they are told again
  perform pg_catalog.pg_stat_reset();
  delete from app_private.slow_statement;
  delete from app_private.database_sample;
  select format('select %I.pg_stat_statements_reset(0, %s, 0)', n.nspname, d.oid) into v_reset
  from pg_catalog.pg_extension e
  join pg_catalog.pg_namespace n on n.oid = e.extnamespace
  join pg_catalog.pg_proc p on p.pronamespace = n.oid and p.proname = 'pg_stat_statements_reset'
  join pg_catalog.pg_database d on d.datname = current_database()
  where e.extname = 'pg_stat_statements'
    and pg_catalog.has_function_privilege(p.oid, 'execute')
    and 'pg_stat_statements' = any (pg_catalog.regexp_split_to_array(
      coalesce(current_setting('shared_preload_libraries', true), ''), '\s*,\s*'));
  if v_reset is not null then
    execute v_reset;
  end if;
  return true;
end
$$;

comment on function app_operator.reset_statistics() is
  'Starts the counting of Postgres and of slow statements afresh. OP023 without the right to.';

grant execute on function app_operator.reset_statistics() to app_operator;
