/*
 * Vacuums and analyzes what wants it, or one table whether it does or not. By a job: vacuum cannot
 * run inside a function.
 */
create or replace function app_operator.optimize(table_name text default null)
  returns app_operator.queued_job
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
declare
  v_name constant text := '([A-Za-z_][\w$]*|"([^"]|"")+")';
  v_relation regclass;
  v_job app_operator.queued_job;
begin
  if optimize.table_name is null then
    select array_agg(w.relation order by w.relation), array_agg(w.reason order by w.relation)
      into v_job.tables, v_job.reasons
    from app_private.wants_upkeep() w;
  else
    -- before Postgres 16 to_regclass raises an error for what is no name
    if optimize.table_name ~ format('^%1$s(\.%1$s)?$', v_name) then
      v_relation := pg_catalog.to_regclass(optimize.table_name);
    end if;
    if v_relation is null or not exists (
      select from pg_catalog.pg_class c
      where c.oid = v_relation and c.relkind in ('r', 'p', 'm')
        and pg_catalog.pg_has_role(c.relowner, 'member')
    ) then
      raise exception 'There is no such table of this project' using
        errcode = 'OP022',
        detail = format('table %L', optimize.table_name),
        hint = 'Write schema.table, as relationSizes names it.';
    end if;
    v_job.tables := array[app_hidden.relation_name(v_relation)];
    v_job.reasons := array['asked for'];
  end if;
  v_job.task := 'optimize';
  if v_job.tables is not null then
    v_job.id := app_private.queue_optimize(v_job.tables);
  end if;
  return v_job;
end
$$;

comment on function app_operator.optimize(text) is
  'Vacuums and analyzes the tables that want it, or the one named, in a job. OP022 for an unknown '
  'table.';

grant execute on function app_operator.optimize(text) to app_operator;
