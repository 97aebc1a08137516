/*
 * Counts afresh the rows of targets whose keys a drain has taken out of the recount logs:
 * {"<target>": [[key], ...]}. What raises an error while it is counted fails alone, and is counted
 * as a whole when it is tried again; the others, and the drain, go on.
 */
create or replace function millrace.recount(keys jsonb)
  returns void
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_target record;
  v_name text;
begin
  for v_target in
    select array_agg(d.name order by d.name) as names, k.value as listed
    from jsonb_each(recount.keys) k
    join millrace.derivation d
      on d.target = k.key::regclass and d.state in ('active', 'backfilling')
    where jsonb_array_length(k.value) > 0
    group by k.key, k.value
  loop
    begin
      perform millrace.reconcile_target(v_target.names, true, listed => v_target.listed);
      continue;
    exception
      when data_exception or raise_exception or syntax_error_or_access_rule_violation
        or integrity_constraint_violation or feature_not_supported or program_limit_exceeded
      then
        null;
    end;
    foreach v_name in array v_target.names loop
      begin
        perform millrace.reconcile_target(array[v_name], true, listed => v_target.listed);
      exception
        when data_exception or raise_exception or syntax_error_or_access_rule_violation
          or integrity_constraint_violation or feature_not_supported or program_limit_exceeded
        then
          perform millrace.fail(v_name, sqlstate || ': ' || sqlerrm);
      end;
    end loop;
  end loop;
end
$$;

comment on function millrace.recount(jsonb) is 'Counts the listed keys of targets afresh.';
