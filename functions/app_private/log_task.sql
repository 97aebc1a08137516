/*
 * Notes a run of a scheduled task, or a failed attempt at one, in the engine's log of runs.
 */
create or replace function app_private.log_task(
  task text, duration interval, note text, error text
)
  returns void
  language sql
  volatile
  set search_path to ''
begin atomic
  insert into millrace.run_log (kind, name, started_at, note, error)
    values ('schedule', log_task.task, clock_timestamp() - log_task.duration, log_task.note,
      left(log_task.error, 2000));
end;

comment on function app_private.log_task(text, interval, text, text) is
  'Notes a run of a scheduled task in millrace.run_log, as kind schedule.';
