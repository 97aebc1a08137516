/*
 * Ends what declare_start began: drops the derivations that the module declares no more, and ends
 * the upkeep of partitions that it no longer asks for.
 */
create or replace function millrace.declare_finish(module text)
  returns setof text
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_name text;
begin
  perform set_config('millrace.module', '', true);
  -- grants, policies and comments were written after the declarations
  perform millrace.dress(d.id)
    from millrace.derivation d
    where d.module = declare_finish.module and d.kind = 'materialize'
      and not d.stale_declaration;
  for v_name in
    select d.name from millrace.derivation d
    where d.module = declare_finish.module and d.stale_declaration
    order by d.id desc
  loop
    perform millrace.drop(v_name);
    return next v_name;
  end loop;
  for v_name in
    select millrace.qualified_name(p.relation)
    from millrace.partitioning p
    join pg_catalog.pg_class c on c.oid = p.relation
    where p.module = declare_finish.module and p.stale_declaration
    order by 1
  loop
    perform millrace.drop_partitioning(v_name);
    return next v_name;
  end loop;
end
$$;

comment on function millrace.declare_finish(text) is
  'Ends the declarations of a module and drops those that it no longer holds; returns their names.';
