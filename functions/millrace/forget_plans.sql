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
  v_routine regprocedure;
begin
  update millrace.generation g set number = g.number + 1;
  delete from millrace.drain_plan;
  for v_routine in
    select p.oid::regprocedure from pg_catalog.pg_proc p
    where p.pronamespace = 'millrace_log'::regnamespace and p.proname ~ '^drain_[0-9a-f]{12}$'
  loop
    execute format('drop function %s', v_routine);
  end loop;
end
$$;

comment on function millrace.forget_plans() is 'Forgets the generated drain functions.';
