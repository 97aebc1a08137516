/*
 * Begins to apply a file of declarations: what it declared before and declares no more is dropped
 * by declare_finish.
 */
create or replace function millrace.declare_start(module text)
  returns void
  language plpgsql
  volatile
  set search_path to ''
as $$
begin
  perform millrace.lock_engine();
  perform set_config('millrace.module', declare_start.module, true);
  update millrace.derivation d set stale_declaration = true where d.module = declare_start.module;
  update millrace.partitioning p set stale_declaration = true where p.module = declare_start.module;
end
$$;

comment on function millrace.declare_start(text) is 'Begins to apply the declarations of a module.';
