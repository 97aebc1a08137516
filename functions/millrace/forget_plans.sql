/*
 * Forgets the generated drain functions: what they were made from has changed. A transaction whose
 * snapshot is older than another run would not see all of them: it gets a serialization error from
 * the generation.
 */
create or replace function millrace.forget_plans()
  returns void
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_routine text;
begin
  update millrace.generation g set number = g.number + 1;
  for v_routine in delete from millrace.drain_plan p returning p.routine loop
    if v_routine is not null then
      execute format('drop function if exists %s(integer)', v_routine);
    end if;
  end loop;
end
$$;

comment on function millrace.forget_plans() is 'Forgets the generated drain functions.';
