/*
 * Gives what a declaration has generated to the engine's owner, and the owner the rights on the
 * tables that a drain needs, where somebody else declares: a superuser, or the owner of tables that
 * are not the application's. So that drains run with the same rights whoever declares and whoever
 * calls them. Rights that the owner has already are not granted; those that are, are noted, for
 * give_back.
 */
create or replace function millrace.hand_over(derivation millrace.derivation)
  returns void
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_d constant millrace.derivation := hand_over.derivation;
  v_owner constant regrole := millrace.owner();
  v_schema text;
  v_object record;
  v_live regclass;
  v_exact regprocedure;
begin
  if v_owner = current_user::regrole then
    return;
  end if;
  for v_object in
    select
      g.schema_id,
      g.relation_id,
      g.privilege,
      format('grant %s on %s to %s', g.privilege,
        coalesce('schema ' || quote_ident(n.nspname), millrace.qualified_name(g.relation_id)),
        v_owner) as statement
    from millrace.needed_grants(v_d) g
    left join pg_catalog.pg_namespace n on n.oid = g.schema_id
    where not coalesce(
      has_schema_privilege(v_owner, n.oid, g.privilege),
      has_table_privilege(v_owner, g.relation_id, g.privilege))
  loop
    execute v_object.statement;
    insert into millrace.granted (schema_id, relation_id, privilege)
      values (v_object.schema_id, v_object.relation_id, v_object.privilege);
  end loop;

  -- whoever is given an object must be allowed to make one there
  v_schema := (
    select quote_ident(n.nspname)
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.oid = v_d.target and not has_schema_privilege(v_owner, n.oid, 'create')
  );
  if v_schema is not null then
    execute format('grant create on schema %s to %s', v_schema, v_owner);
  end if;
  -- once, and not for every object of the database (3 s)
  if v_d.kind = 'materialize' then
    v_live := to_regclass((millrace.relation_names(v_d.name)).live);
  elsif v_d.kind = 'counter' then
    v_exact := to_regprocedure(
      format('%s(%s)', (millrace.generated(v_d)).exact, millrace.qualified_name(v_d.target)));
  end if;
  for v_object in
    select format('alter %s %I.%I owner to %s',
      case c.relkind when 'm' then 'materialized view' when 'v' then 'view' else 'table' end,
      n.nspname, c.relname, v_owner) as statement
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'v', 'm') and c.relowner <> v_owner::oid and (
      n.nspname = 'millrace_log'
      or v_d.kind = 'materialize' and c.oid in (v_d.target, v_live)
    )
    union all
    select format('alter function %s owner to %s', p.oid::regprocedure, v_owner)
    from pg_catalog.pg_proc p
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where p.proowner <> v_owner::oid and (
      n.nspname = 'millrace_log'
      or p.oid = v_exact
    )
  loop
    execute v_object.statement;
  end loop;
  if v_schema is not null then
    execute format('revoke create on schema %s from %s', v_schema, v_owner);
  end if;
end
$$;

comment on function millrace.hand_over(millrace.derivation) is
  'Gives what a declaration has generated to the engine''s owner.';
