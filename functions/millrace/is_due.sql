/*
 * Whether a key is due by now (see due_at).
 */
create or replace function millrace.is_due(
  first_at timestamptz, marked_at timestamptz, debounce interval, max_wait interval
)
  returns boolean
  language sql
  stable
  set search_path to ''
return millrace.due_at(is_due.first_at, is_due.marked_at, is_due.debounce, is_due.max_wait)
  <= clock_timestamp();

comment on function millrace.is_due(timestamptz, timestamptz, interval, interval) is
  'Whether a key that was changed first and last at these moments is due by now.';
