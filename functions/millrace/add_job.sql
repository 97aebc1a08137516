/*
 * Adds a graphile-worker job, or not: null means that a job of the same key is being claimed just
 * now and the request was dropped.
 */
create or replace function millrace.add_job(
  task text, payload jsonb, subject text, max_attempts integer default 25
)
  returns bigint
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_job bigint;
begin
  execute
    'select j.id from graphile_worker.add_job($1, $2::json, max_attempts => $3, job_key => $4,
      job_key_mode => ''preserve_run_at'') j'
    into v_job
    using add_job.task, add_job.payload, add_job.max_attempts,
      add_job.task || ':' || add_job.subject;
  return v_job;
end
$$;

comment on function millrace.add_job(text, jsonb, text, integer) is
  'Adds a graphile-worker job with the key <task>:<subject>; returns its id, or null where the '
  'request was dropped.';
