/*
 * Compares derived values with a recount, in a job: large tables take minutes. What it finds is in
 * drifts and runs.
 */
create or replace function app_operator.reconcile(
  name text default null, repair boolean default false
)
  returns app_operator.queued_job
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
declare
  v_job app_operator.queued_job;
begin
  if reconcile.name is not null then
    perform millrace.derivation_named(reconcile.name);
  end if;
  v_job.task := 'reconcile';
  v_job.id := millrace.add_job('reconcile', jsonb_build_object(
    'name', reconcile.name, 'repair', coalesce(reconcile.repair, false)),
    concat_ws(':', 'operator', reconcile.name), max_attempts => 3);
  return v_job;
end
$$;

comment on function app_operator.reconcile(text, boolean) is
  'Compares one derivation, or all, with a recount, in a job; repair puts right what differs. '
  'MR012 for an unknown name.';

grant execute on function app_operator.reconcile(text, boolean) to app_operator;
