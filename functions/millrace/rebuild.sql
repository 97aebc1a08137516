/*
 * Makes all rows of a derived relation afresh, in one transaction in which readers go on seeing the
 * old ones: after the first declaration, a changed one, a pause or a failure. The caller holds the
 * relation's lock since an earlier statement.
 *
 * In place where columns and key allow it: the relation keeps its identity, and with it grants,
 * policies, indexes and what others have built on it; only rows that differ are written. Otherwise
 * (another strategy, key or type of a column) a new relation is filled beside the old one, gets its
 * indexes, grants, policies and comments, and takes its place at the end. No writer waits: sources
 * are read, and what changes meanwhile waits in the work table for the next run.
 */
create or replace function millrace.rebuild(id bigint)
  returns bigint
  language plpgsql
  volatile
  security definer
  set search_path to pg_catalog, pg_temp
  set client_min_messages to warning
  set row_security to off
as $$
declare
  v_writer constant text := coalesce(current_setting('millrace.writer', true), '');
  v_d millrace.derivation;
  v_names record;
  v_definition text;
  v_rows bigint;
  v_in_place boolean;
  v_detail text;
begin
  update millrace.progress p set number = p.number + 1, started_at = clock_timestamp()
    where p.derivation = rebuild.id;
  select d.* into strict v_d from millrace.derivation d where d.id = rebuild.id;
  v_names := millrace.relation_names(v_d.name);
  v_definition := case when to_regclass(v_names.next_definition) is null
    then v_names.definition else v_names.next_definition end;
  v_in_place := millrace.fits(v_d, v_definition::regclass);

  begin
    -- marks before rows: whatever the next statement does not show yet is marked again
    execute format('delete from %s', millrace.qualified_name(v_d.work));
    if not v_in_place then
      v_rows := millrace.rebuild_beside(v_d, v_definition);
    elsif v_d.strategy = 'refresh' then
      execute format('refresh materialized view %s%s',
        case when (select c.relispopulated from pg_catalog.pg_class c where c.oid = v_d.target)
          then 'concurrently ' else '' end,
        millrace.qualified_name(v_d.target));
      v_rows := 0;
    else
      perform millrace.add_columns(v_d.id);
      perform set_config('millrace.writer', 'engine', true);
      execute millrace.rebuild_sql(v_d, v_definition) into v_rows;
      perform set_config('millrace.writer', v_writer, true);
    end if;
  exception when unique_violation or not_null_violation or cardinality_violation then
    -- of the second kind only those that two rows for a key make: not a subquery with two rows
    if sqlstate = '21000' and sqlerrm !~ 'ON CONFLICT' then
      raise;
    end if;
    get stacked diagnostics v_detail = pg_exception_detail;
    raise exception 'The rows of % do not fit the keys of %: %', v_d.definition, v_d.name, sqlerrm
      using
      errcode = 'MR028',
      detail = concat_ws(' ', format('Key: %s.', array_to_string(v_d.target_key, ', ')),
        nullif(v_detail, '')),
      hint = 'Let the key identify the rows of the definition and never be null.';
  end;

  perform millrace.lock_engine_patiently();
  begin
    v_d := millrace.finish_rebuild(v_d, v_in_place);
  exception when dependent_objects_still_exist then
    get stacked diagnostics v_detail = pg_exception_detail;
    raise exception '% cannot change while others are built on it: %', v_d.name, sqlerrm using
      errcode = 'MR031',
      detail = v_detail,
      hint = 'Drop what is built on it, declare again, and make it again on the new relation.';
  end;
  update millrace.derivation d set target = v_d.target where d.id = v_d.id;
  -- what was paused meanwhile stays paused, and so what drains did not tell it does not matter
  update millrace.derivation d
    set state = 'active', kept = true, failures = 0, retry_at = null, last_error = null,
      last_error_at = null, last_reconciled_at = clock_timestamp()
    where d.id = v_d.id and d.state = 'backfilling';
  select d.* into v_d from millrace.derivation d where d.id = rebuild.id;
  delete from millrace.failed_key f where f.derivation = v_d.id;
  perform millrace.make_views(v_d);
  perform millrace.dress(v_d.id);
  perform millrace.refresh_pending_logs();
  perform millrace.mark_downstream(v_d.target);
  if v_d.notifies then
    perform millrace.announce(millrace.qualified_name(v_d.target), null);
  end if;
  update millrace.progress p set finished_at = clock_timestamp() where p.derivation = v_d.id;
  insert into millrace.run_log (kind, name, started_at, keys)
    select 'backfill', v_d.name, p.started_at, v_rows
    from millrace.progress p where p.derivation = v_d.id;
  return v_rows;
end
$$;

comment on function millrace.rebuild(bigint) is
  'Makes all rows of a derived relation afresh; returns how many it wrote.';
