/*
 * The run of a derived relation that makes all of it: a rebuild, or a refresh. In a refresh the
 * touch is taken before the statement that reads, so a change that the refresh does not show yet
 * touches again. An error of the definition marks the relation as failed: readers keep what there
 * is, and the tick tries again after a wait that grows.
 */
create or replace function millrace.remake(derivation millrace.derivation)
  returns jsonb
  language plpgsql
  volatile
  set search_path to ''
  set client_min_messages to warning
as $$
declare
  v_d constant millrace.derivation := remake.derivation;
  v_marks bigint := 0;
  v_rows bigint := 0;
  v_started constant timestamptz := clock_timestamp();
begin
  if v_d.state = 'backfilling' then
    v_rows := millrace.rebuild(v_d.id);
  else
    execute format(
      'with taken as (delete from %s returning 1) select count(*) from taken',
      millrace.qualified_name(v_d.work))
      into v_marks;
    execute format('refresh materialized view concurrently %s',
      millrace.qualified_name(v_d.target));
    perform millrace.mark_downstream(v_d.target);
    if v_d.notifies then
      perform millrace.announce(millrace.qualified_name(v_d.target), null);
    end if;
    insert into millrace.run_log (kind, name, started_at, rows)
      values ('refresh', v_d.name, v_started, v_marks);
    update millrace.progress p
      set finished_at = clock_timestamp(), taken_rows = p.taken_rows + v_marks
      where p.derivation = v_d.id;
  end if;
  return jsonb_build_object('keys', v_rows, 'marks', v_marks, 'more', false, 'after', null);
exception
  when data_exception or raise_exception or syntax_error_or_access_rule_violation
    or integrity_constraint_violation or feature_not_supported or program_limit_exceeded
    or cardinality_violation or dependent_objects_still_exist or sqlstate 'MR023'
    or sqlstate 'MR028' or sqlstate 'MR031'
  then
    perform millrace.lock_engine_patiently();
    perform millrace.fail(v_d.name, sqlstate || ': ' || sqlerrm);
    return jsonb_build_object('keys', 0, 'marks', 0, 'more', false, 'after', null);
end
$$;

comment on function millrace.remake(millrace.derivation) is
  'Rebuilds or refreshes a derived relation as a whole.';
