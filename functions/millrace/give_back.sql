/*
 * Revokes what declarations have granted to the engine's owner and no derivation needs any more.
 * What is gone, or was revoked meanwhile, is forgotten; what the caller may not revoke is left to
 * one who may.
 */
create or replace function millrace.give_back()
  returns void
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_grant record;
begin
  for v_grant in
    delete from millrace.granted g
    where not exists (
      select
      from millrace.derivation d
      cross join lateral millrace.needed_grants(d) n
      where (n.schema_id, n.relation_id, n.privilege)
        = (g.schema_id, g.relation_id, g.privilege)
    ) and coalesce(
      has_schema_privilege(nullif(g.schema_id, 0), g.privilege || ' with grant option'),
      has_table_privilege(nullif(g.relation_id, 0), g.privilege || ' with grant option'),
      true)
    returning g.privilege, coalesce(
      (select format('schema %I', s.nspname) from pg_catalog.pg_namespace s
        where s.oid = g.schema_id),
      (select millrace.qualified_name(c.oid) from pg_catalog.pg_class c
        where c.oid = g.relation_id)) as object
  loop
    continue when v_grant.object is null;
    execute format('revoke %s on %s from %s',
      v_grant.privilege, v_grant.object, millrace.owner());
  end loop;
end
$$;

comment on function millrace.give_back() is
  'Revokes what declarations have granted and nothing needs any more.';
