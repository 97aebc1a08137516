/*
 * A materialized view has no triggers: who reads one is told by the job that refreshed it.
 */
create or replace function millrace.mark_downstream(upstream regclass)
  returns void
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_work regclass;
begin
  for v_work in
    select d.work
    from millrace.dependency u
    join millrace.derivation d on d.id = u.derivation and d.strategy = 'refresh'
    join pg_catalog.pg_class c on c.oid = u.upstream and c.relkind = 'm'
    where u.upstream = mark_downstream.upstream
  loop
    execute format('insert into %s (first_at) values (clock_timestamp())',
      millrace.qualified_name(v_work));
  end loop;
end
$$;

comment on function millrace.mark_downstream(regclass) is
  'Marks the relations that read a materialized view.';
