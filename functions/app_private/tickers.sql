/*
 * How many tick: the connections of tickers, by the name that they give themselves, and the jobs of
 * pg_cron that call millrace.tick() in this database. pg_cron connects for each run anew, so what
 * there is to see of it is its job: the engine owner's, in the database of its own. Whatever else
 * is called cron.job, or may not be read, is none.
 */
create or replace function app_private.tickers()
  returns integer
  language plpgsql
  stable
  set search_path to ''
as $$
declare
  v_table regclass;
  v_jobs integer := 0;
begin
  select c.oid into v_table
  from pg_catalog.pg_attribute a
  join pg_catalog.pg_class c on c.oid = a.attrelid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where n.nspname = 'cron' and c.relname = 'job'
    and (a.attname, a.atttypid) in (
      ('active', 'boolean'::regtype), ('command', 'text'::regtype), ('database', 'text'::regtype)
    )
    and pg_catalog.has_schema_privilege(n.oid, 'usage')
    and pg_catalog.has_table_privilege(c.oid, 'select')
  group by c.oid
  having count(*) = 3;
  if found then
    execute format(
        'select count(*) from %s j where j.active and j.database = $1 and j.command ~* $2', v_table)
      into v_jobs
      using current_database()::text, '\mmillrace\.tick\M';
  end if;
  return v_jobs + (
    select count(*) from pg_catalog.pg_stat_activity a
    where a.datname = current_database() and a.application_name = 'millrace ticker'
  );
end
$$;

comment on function app_private.tickers() is
  'How many tick: connected tickers, and jobs of pg_cron in this database.';
