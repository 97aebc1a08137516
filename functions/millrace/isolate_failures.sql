/*
 * Finds out which derivations make a drain fail: each is drained alone and rolled back again. Those
 * that raise an error of their own are marked failed, with the error; exact reads of them recount
 * from now on, and the tick lets them be counted again later. Returns whether any was found.
 */
create or replace function millrace.isolate_failures(names text[], slice integer)
  returns boolean
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_name text;
  v_error text;
  v_found boolean := false;
begin
  foreach v_name in array isolate_failures.names loop
    v_error := null;
    begin
      execute millrace.drain_sql(array[v_name], isolate_failures.slice::text);
      raise exception 'undo' using errcode = 'MR000';
    exception
      when sqlstate 'MR000' then
        null;
      when data_exception or raise_exception or syntax_error_or_access_rule_violation
        or integrity_constraint_violation or feature_not_supported or program_limit_exceeded
      then
        v_error := sqlstate || ': ' || sqlerrm;
    end;
    if v_error is not null then
      perform millrace.fail(v_name, v_error);
      v_found := true;
    end if;
  end loop;
  return v_found;
end
$$;

comment on function millrace.isolate_failures(text[], integer) is
  'Marks the derivations whose own SQL makes a drain fail; true if there was one.';
