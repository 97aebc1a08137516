/*
 * How many rows of a log wait for the drain, and since when. Counts the log: for people, not for
 * hot paths.
 */
create or replace function millrace.pending_rows(
  log regclass, out rows bigint, out oldest timestamptz
)
  language plpgsql
  stable
  strict
  set search_path to ''
as $$
begin
  execute format('select count(*), min(l.recorded_at) from %s l',
    millrace.qualified_name(pending_rows.log))
    into rows, oldest;
end
$$;

comment on function millrace.pending_rows(regclass) is
  'Rows of a log that wait for the drain, and the oldest of them.';
