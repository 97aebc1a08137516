/*
 * Rows of a log that wait for the drain, counted up to a bound, and the oldest of those counted:
 * a log is written at its end and emptied from its beginning, so that is the oldest or close to it.
 * For what is asked often: with a backlog of millions, counting it would be one more load.
 */
create or replace function app_private.pending_at_most(
  log regclass, most integer, out rows bigint, out oldest timestamptz
)
  language plpgsql
  stable
  strict
  set search_path to ''
as $$
begin
  execute format(
    'select count(*), min(l.recorded_at) from (select q.recorded_at from %s q limit $1) l',
    millrace.qualified_name(pending_at_most.log))
    into rows, oldest
    using pending_at_most.most;
end
$$;

comment on function app_private.pending_at_most(regclass, integer) is
  'Rows of a log that wait for the drain, counted up to a bound, and the oldest of them.';
