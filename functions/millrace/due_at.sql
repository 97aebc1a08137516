/*
 * When a key is due: after it has been quiet for debounce, at the latest max_wait after its oldest
 * change. What a tick needs to notice it (a fourth of a second, less where max_wait is shorter) is
 * taken off, so that max_wait is what a reader may count on. A key that seems to come from the
 * future was marked before the clock was set back: it is due.
 */
create or replace function millrace.due_at(
  first_at timestamptz, marked_at timestamptz, debounce interval, max_wait interval
)
  returns timestamptz
  language sql
  stable
  set search_path to ''
return case
  when greatest(due_at.first_at, due_at.marked_at) > clock_timestamp() + interval '1 second'
    then '-infinity'
  else least(
    due_at.marked_at + due_at.debounce,
    due_at.first_at + greatest(due_at.max_wait - interval '250 ms', due_at.max_wait / 2))
end;

comment on function millrace.due_at(timestamptz, timestamptz, interval, interval) is
  'When a key that was changed first and last at these moments is due.';
