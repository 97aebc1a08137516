/*
 * A job that vacuums and analyzes tables: vacuum cannot run in a function. One job at a time waits;
 * null when it is just being taken up, and does the same.
 */
create or replace function app_private.queue_optimize(tables text[])
  returns bigint
  language sql
  volatile
  set search_path to ''
begin atomic
  select millrace.add_job('optimize', jsonb_build_object('tables', queue_optimize.tables), 'tables',
    max_attempts => 3);
end;

comment on function app_private.queue_optimize(text[]) is
  'Adds a job that vacuums and analyzes these tables; returns its id.';
