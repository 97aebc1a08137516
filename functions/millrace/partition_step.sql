/*
 * One step of the upkeep, as partition_plan names it, with its own end: an error undoes it and is
 * returned, so that the other steps go on. The steps look again at what there is, under their
 * locks: what somebody else has done meanwhile is not done twice.
 *
 * watch comes before detach and drop, in a transaction of its own; fill is a step of
 * partition_move_default.
 */
create or replace function millrace.partition_step(
  relation regclass, action text, partition regclass, from_time timestamptz, to_time timestamptz,
  out rows bigint, out error text, out state text
)
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_detail text;
begin
  case partition_step.action
    when 'create', 'blocked' then
      rows := millrace.partition_create(
        partition_step.relation, partition_step.from_time, partition_step.to_time);
    when 'fill' then
      rows := millrace.partition_create(
        partition_step.relation, partition_step.from_time, partition_step.to_time, true);
    when 'finalize' then
      perform millrace.partition_finalize(partition_step.relation, partition_step.partition);
    when 'watch' then
      perform millrace.partition_watch(partition_step.relation, partition_step.partition);
    when 'detach', 'drop' then
      rows := millrace.partition_remove(partition_step.relation, partition_step.partition);
  end case;
exception
  when object_not_in_prerequisite_state or transaction_rollback or integrity_constraint_violation
    or syntax_error_or_access_rule_violation or dependent_privilege_descriptors_still_exist
    or feature_not_supported or data_exception or raise_exception or program_limit_exceeded
    or insufficient_resources or sqlstate 'MR000'
  then
    get stacked diagnostics v_detail = pg_exception_detail;
    error := concat_ws(': ', sqlerrm, nullif(v_detail, ''));
    state := sqlstate;
end
$$;

comment on function millrace.partition_step(regclass, text, regclass, timestamptz, timestamptz) is
  'Does one step of the upkeep of partitions; returns its error instead of raising it.';
