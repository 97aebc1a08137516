/*
 * The keys of a derivation that wait for their job, and when each is due. [] is a whole relation.
 * A relation that is refreshed waits for its duty cycle too; a key of a reaction for its last run
 * to be min_interval ago, and for an hour after its job has died; a key whose definition fails for
 * its next try (see tried_again_at).
 */
create or replace function millrace.waiting(id bigint)
  returns table (
    key jsonb, marks bigint, first_at timestamptz, marked_at timestamptz, due_at timestamptz
  )
  language plpgsql
  stable
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_d millrace.derivation;
begin
  select d.* into strict v_d from millrace.derivation d where d.id = waiting.id;
  return query execute format(
    E'select w.key, w.marks, w.first_at, w.marked_at, greatest(\n'
    '  millrace.due_at(w.first_at, w.marked_at, %1$L, %2$L),\n'
    '  millrace.tried_again_at(f.last_error_at, f.retry_at, w.marked_at),\n'
    '  case when r.queued_at <= clock_timestamp() then r.queued_at + %3$L::interval end,\n'
    '  case when r.dead_at <= clock_timestamp() then r.dead_at + interval ''1 hour'' end,\n'
    '  case when p.finished_at <= clock_timestamp()\n'
    '    then p.finished_at + (p.finished_at - p.started_at) * (1 / %4$L::float8 - 1) end\n'
    ')\n'
    'from (\n'
    '  select jsonb_build_array(%5$s) as key, count(*) as marks,\n'
    '    min(first_at) as first_at, max(marked_at) as marked_at\n'
    '  from %6$s\n'
    '  %7$s\n'
    ') w\n'
    'left join millrace.failed_key f on f.derivation = %8$s and f.key = w.key\n'
    'left join millrace.run r on r.derivation = %8$s and r.key = w.key\n'
    'left join millrace.progress p on p.derivation = %8$s and %4$L::float8 is not null',
    v_d.debounce,
    v_d.max_wait,
    case when v_d.kind = 'react' then v_d.min_interval end,
    v_d.max_duty,
    case when v_d.strategy = 'refresh' then '' else millrace.list(v_d.target_key) end,
    millrace.qualified_name(v_d.work),
    case when v_d.strategy = 'refresh' then 'having count(*) > 0'
      else 'group by ' || millrace.list(v_d.target_key) end,
    v_d.id);
end
$$;

comment on function millrace.waiting(bigint) is
  'The keys of a derivation that wait for their job: marks, since when, and when they are due.';
