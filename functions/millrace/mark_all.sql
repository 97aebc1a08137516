/*
 * Marks every key of a reaction that has been failed: what changed meanwhile is not known.
 */
create or replace function millrace.mark_all(id bigint)
  returns void
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_d millrace.derivation;
begin
  select d.* into strict v_d from millrace.derivation d where d.id = mark_all.id;
  perform millrace.mark_rows(v_d, (
    select millrace.qualified_name(m.source) from millrace.mapping m where m.derivation = v_d.id
  ), clock_timestamp());
  update millrace.derivation d
    set state = 'active', failures = 0, retry_at = null, last_error = null, last_error_at = null
    where d.id = v_d.id;
exception
  when data_exception or raise_exception or syntax_error_or_access_rule_violation
    or integrity_constraint_violation or feature_not_supported or program_limit_exceeded
  then
    perform millrace.fail(v_d.name, sqlstate || ': ' || sqlerrm);
end
$$;

comment on function millrace.mark_all(bigint) is 'Marks every key of a reaction.';
