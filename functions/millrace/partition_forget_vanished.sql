/*
 * Forgets tables that were dropped: their declaration, and what was kept for counters whose target
 * is gone. (A derived relation is made again when it is declared again, with what is kept for it.)
 */
create or replace function millrace.partition_forget_vanished()
  returns void
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_kept regclass;
begin
  delete from millrace.partitioning p
    where not exists (select from pg_catalog.pg_class c where c.oid = p.relation);
  for v_kept in
    delete from millrace.partition_kept k
    where k.kind = 'counter'
      and not exists (select from pg_catalog.pg_class c where c.oid = k.target)
    returning k.kept
  loop
    execute format('drop table if exists %s', millrace.qualified_name(v_kept));
  end loop;
end
$$;

comment on function millrace.partition_forget_vanished() is
  'Forgets partitioned tables that were dropped.';
