/*
 * A reaction stores nothing that could be compared; what can be seen is whether it is told of
 * changes. Where a trigger is missing or disabled it counts as one difference, and a repair marks
 * all of its keys: what changed meanwhile is not known.
 */
create or replace function millrace.reconcile_reaction(id bigint, repair boolean)
  returns jsonb
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_d millrace.derivation;
  v_cause text;
begin
  select d.* into strict v_d from millrace.derivation d where d.id = reconcile_reaction.id;
  v_cause := millrace.drift_cause(v_d);
  if v_cause not like 'trigger %' then
    v_cause := null;
  elsif reconcile_reaction.repair then
    perform millrace.mark_all(v_d.id);
  end if;
  return jsonb_build_object(v_d.name, jsonb_build_object(
    'checked', 0,
    'drifted', (v_cause is not null)::integer,
    'drift', (v_cause is not null)::integer,
    'examples', '[]'::jsonb));
end
$$;

comment on function millrace.reconcile_reaction(bigint, boolean) is
  'Whether the triggers that tell a reaction of changes are there.';
