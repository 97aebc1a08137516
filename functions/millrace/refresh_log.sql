/*
 * Brings the log of a source table, its indexes and its trigger functions up to the declarations
 * that need it; takes them away when none does.
 *
 * The caller holds a share row exclusive lock on the source: no writer is between the old trigger
 * function and the new one, so every row of the log was written with the columns that the log had.
 * A log never loses a column while it exists. It has no key of any kind and no foreign key: an
 * append never waits for another transaction.
 */
create or replace function millrace.refresh_log(source regclass)
  returns void
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_name constant name := millrace.generated_name(refresh_log.source);
  v_log constant text := format('millrace_log.%I', v_name);
  v_source constant text := millrace.qualified_name(refresh_log.source);
  v_columns name[];
  v_compared name[];
  v_column record;
  v_index record;
  v_trigger record;
begin
  if not exists (select from millrace.reading r where r.relation = refresh_log.source) then
    execute format('drop trigger if exists _900_millrace_insert on %s', v_source);
    execute format('drop trigger if exists _900_millrace_update on %s', v_source);
    execute format('drop trigger if exists _900_millrace_delete on %s', v_source);
    execute format('drop trigger if exists _900_millrace_truncate on %s', v_source);
    for v_trigger in select * from millrace.trigger_sql(refresh_log.source, '{}', '{}') t loop
      execute format('drop function if exists %s()', v_trigger.function_name);
    end loop;
    execute format('drop table if exists %s', v_log);
    delete from millrace.source s where s.relation = refresh_log.source;
    perform millrace.refresh_pending_logs();
    return;
  end if;
  -- what the log has it keeps: a function that is running may still write all of it
  v_columns := array(
    select distinct c.name
    from millrace.reading r
    cross join lateral unnest(r.columns) c(name)
    where r.relation = refresh_log.source
    order by c.name
  );
  v_compared := array(
    select c.name from unnest(v_columns) c(name)
    union
    select c.name
    from millrace.reading r
    cross join lateral unnest(r.compared) c(name)
    where r.relation = refresh_log.source
    order by name
  );

  if to_regclass(v_log) is null then
    execute format($sql$
      create table %s (
        sign smallint not null,
        recorded_at timestamptz not null default clock_timestamp(),
        recorded_in xid8 not null default pg_current_xact_id()
      ) with (
        autovacuum_vacuum_threshold = 1000,
        autovacuum_vacuum_scale_factor = 0,
        autovacuum_vacuum_cost_delay = 0,
        vacuum_truncate = false
      )$sql$, v_log);
    execute format('comment on table %s is %L', v_log,
      format(
        'The log of %s: +1 for every new image, -1 for every old one, until a drain takes them.',
        v_source));
  end if;

  if not exists (
    select from pg_catalog.pg_attribute a
    where a.attrelid = v_log::regclass and a.attname = 'recorded_in'
  ) then
    -- the log of an older engine: when its rows were written is not known, so the note of how far
    -- the logs are empty is void until a drain has taken them
    execute format($sql$
      alter table %1$s add column recorded_in xid8 not null default '0';
      alter table %1$s alter column recorded_in set default pg_current_xact_id()$sql$, v_log);
    delete from millrace.horizon;
  end if;

  for v_column in
    select a.attname, format_type(a.atttypid, a.atttypmod)
      || case when a.attcollation <> t.typcollation
        then format(' collate %I.%I', n.nspname, l.collname) else '' end as definition
    from pg_catalog.pg_attribute a
    join pg_catalog.pg_type t on t.oid = a.atttypid
    left join pg_catalog.pg_collation l on l.oid = a.attcollation
    left join pg_catalog.pg_namespace n on n.oid = l.collnamespace
    where a.attrelid = refresh_log.source and a.attname = any (v_columns) and not exists (
      select from pg_catalog.pg_attribute e
      where e.attrelid = v_log::regclass and e.attname = a.attname
    )
    order by a.attnum
  loop
    execute format('alter table %s add column %I %s', v_log, v_column.attname, v_column.definition);
  end loop;

  -- one index for each way in which a read comes to the log: by the target's key, or along the
  -- foreign key. A log is empty most of the time, and for an empty table all indexes cost the same:
  -- a plan made then could go along any of them by recorded_in alone, and still be in use when
  -- thousands of rows wait. So an index has the rows in which its keys are not null, which is all
  -- that anything equals, and the planner may not take it for a read that does not bring them.
  for v_index in
    select i.indexrelid::regclass as index_name
    from pg_catalog.pg_index i
    where i.indrelid = v_log::regclass and (i.indpred is null or not exists (
      select from millrace.log_indexes(refresh_log.source) n(columns)
      where n.columns = array(
        select a.attname
        from unnest(i.indkey::smallint[]) with ordinality u(attnum, position)
        join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = u.attnum
        order by u.position
      )
    ))
  loop
    execute format('drop index %s', millrace.qualified_name(v_index.index_name));
  end loop;

  for v_index in
    select n.columns, millrace.generated_name(
        refresh_log.source, '__' || array_to_string(n.columns, '_') || '_idx') as index_name
    from millrace.log_indexes(refresh_log.source) n(columns)
  loop
    execute format('create index if not exists %I on %s (%s) where %s',
      v_index.index_name, v_log, millrace.list(v_index.columns),
      millrace.list(array_remove(v_index.columns, 'recorded_in'), '%I is not null', ' and '));
  end loop;

  for v_trigger in select * from millrace.trigger_sql(refresh_log.source, v_columns, v_compared)
  loop
    execute v_trigger.function_sql;
    execute format('revoke all on function %s() from public', v_trigger.function_name);
    if not exists (
      select from pg_catalog.pg_trigger t
      where t.tgrelid = refresh_log.source and t.tgname = v_trigger.trigger_name
    ) then
      execute v_trigger.trigger_sql;
    end if;
  end loop;

  insert into millrace.source as s (relation, log, columns, compared)
    values (refresh_log.source, v_log::regclass, v_columns, v_compared)
    on conflict (relation) do update
      set columns = excluded.columns, compared = excluded.compared, log = excluded.log;
  perform millrace.refresh_pending_logs();
end
$$;

comment on function millrace.refresh_log(regclass) is
  'Makes, extends or drops the log and the triggers of a source table as its declarations need.';
