/*
 * Forgets the generated drain functions: what they were made from has changed.
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
  for v_routine in delete from millrace.drain_plan p returning p.routine loop
    if v_routine is not null then
      execute format('drop function if exists %s(integer)', v_routine);
    end if;
  end loop;
end
$$;

comment on function millrace.forget_plans() is 'Forgets the generated drain functions.';
