/*
 * Gives the live view of a derived relation the grants of the relation, those on single columns
 * too. Where its policies look into other tables the live view works with its reader's rights (see
 * live_sql), so its readers may read the exact rows, in a schema that they have no right to enter.
 */
create or replace function millrace.dress_live(derivation millrace.derivation)
  returns void
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_d constant millrace.derivation := dress_live.derivation;
  v_names constant record := millrace.relation_names(v_d.name);
  v_is_invoker constant boolean := millrace.policies_read_others(v_d.target);
  v_statement text;
begin
  for v_statement in
    with acl(relation, column_name, grantee, owner, privilege) as (
      select c.oid, null, x.grantee, c.relowner, x.privilege_type
      from pg_catalog.pg_class c
      cross join lateral aclexplode(c.relacl) x
      union all
      select c.oid, a.attname, x.grantee, c.relowner, x.privilege_type
      from pg_catalog.pg_class c
      join pg_catalog.pg_attribute a on a.attrelid = c.oid and not a.attisdropped
      cross join lateral aclexplode(a.attacl) x
    ),
    grantee as (
      select a.relation, a.column_name, a.privilege,
        case when a.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end
          as name
      from acl a
      where a.grantee <> a.owner
    )
    select s.statement
    from (
      select distinct 0 as position, format('revoke all on %s from %s',
        millrace.qualified_name(g.relation), g.name) as statement
      from grantee g
      where g.relation in (v_names.live::regclass, v_names.exact::regclass)
      union all
      select distinct 1, format('grant select%s on %s to %s',
        case when g.column_name is not null then format(' (%I)', g.column_name) end,
        v_names.live, g.name)
      from grantee g
      where g.relation = v_d.target and g.privilege = 'SELECT'
        and coalesce(g.column_name = any (v_d.columns), true)
      union all
      select distinct 1, format('grant select on %s to %s', v_names.exact, g.name)
      from grantee g
      where g.relation = v_d.target and g.privilege = 'SELECT' and v_is_invoker
    ) s
    order by s.position
  loop
    execute v_statement;
  end loop;
end
$$;

comment on function millrace.dress_live(millrace.derivation) is
  'Gives the live view of a derived relation the grants of the relation.';
