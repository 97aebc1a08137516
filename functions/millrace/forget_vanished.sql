/*
 * Removes derivations whose target, source or through table was dropped with everything that
 * depends on it: nothing is left to keep, and the drain of the others must go on. Returns whether
 * there was one.
 */
create or replace function millrace.forget_vanished()
  returns boolean
  language plpgsql
  volatile
  set search_path to ''
  set client_min_messages to warning
as $$
declare
  v_d millrace.derivation;
  v_source record;
  v_operation text;
  v_found boolean := false;
begin
  for v_d in
    select d.* from millrace.derivation d
    where exists (
      select
      from (
        select d.target
        union all
        select r.relation from millrace.reading r where r.id = d.id
      ) t(relation)
      where t.relation is not null
        and not exists (select from pg_catalog.pg_class c where c.oid = t.relation)
    )
  loop
    v_found := true;
    delete from millrace.derivation d where d.name = v_d.name;
    if v_d.kind <> 'counter' then
      begin
        perform millrace.drop_relation(v_d);
      exception when dependent_objects_still_exist then
        -- others are built on it: theirs now
        perform millrace.drop_relation(v_d, true);
      end;
      continue;
    end if;
    perform millrace.drop_views(v_d);
    if exists (select from pg_catalog.pg_class c where c.oid = v_d.target) then
      execute format('drop function if exists %s(%s)', (millrace.generated(v_d)).exact,
        millrace.qualified_name(v_d.target));
    end if;
    perform millrace.refresh_target(v_d.target);
  end loop;
  for v_source in
    delete from millrace.source s
    where not exists (select from pg_catalog.pg_class c where c.oid = s.relation)
      and not exists (select from millrace.reading r where r.relation = s.relation)
    returning s.relation, s.log
  loop
    execute format('drop table if exists %s', millrace.qualified_name(v_source.log));
    foreach v_operation in array array['insert', 'update', 'delete', 'truncate'] loop
      execute format('drop function if exists millrace_log.%I()',
        millrace.generated_name(v_source.relation, '__' || v_operation));
    end loop;
    v_found := true;
  end loop;
  if v_found then
    delete from millrace.stem s
      where not exists (select from pg_catalog.pg_class c where c.oid = s.relation);
    perform millrace.refresh_log(s.relation) from millrace.source s;
    perform millrace.refresh_pending_logs();
  end if;
  return v_found;
end
$$;

comment on function millrace.forget_vanished() is
  'Removes derivations whose tables were dropped; true if there was one.';
