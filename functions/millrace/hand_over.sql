/*
 * Gives what a declaration has generated to the engine's owner, and the owner the rights on the
 * tables that a drain needs, where somebody else declares: a superuser, or the owner of tables that
 * are not the application's. So that drains run with the same rights whoever declares and whoever
 * calls them.
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
  v_object record;
begin
  if v_owner = current_user::regrole then
    return;
  end if;
  for v_object in
    select format('alter %s %I.%I owner to %s',
      case c.relkind when 'm' then 'materialized view' when 'v' then 'view' else 'table' end,
      n.nspname, c.relname, v_owner) as statement
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'v', 'm') and c.relowner <> v_owner::oid and (
      n.nspname = 'millrace_log'
      or v_d.kind = 'materialize' and c.oid in (
        v_d.target, to_regclass((millrace.relation_names(v_d.name)).live))
    )
    union all
    select format('alter function %s owner to %s', p.oid::regprocedure, v_owner)
    from pg_catalog.pg_proc p
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where p.proowner <> v_owner::oid and (
      n.nspname = 'millrace_log'
      or v_d.kind = 'counter' and p.oid = to_regprocedure(
        format('%s(%s)', (millrace.generated(v_d)).exact, millrace.qualified_name(v_d.target)))
    )
    union all
    select format('grant usage on schema %I to %s', n.nspname, v_owner)
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.oid = v_d.target or c.oid in (
      select r.relation from millrace.reading r where r.id = v_d.id)
    union all
    select format('grant create on schema %I to %s', n.nspname, v_owner)
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.oid = v_d.target and v_d.kind = 'materialize'
    union all
    select format('grant select on %s to %s', millrace.qualified_name(r.relation), v_owner)
    from (
      select v_d.target
      union
      select r.relation from millrace.reading r where r.id = v_d.id
      union
      select r.relation
      from millrace.definition_reads(
        to_regclass((millrace.relation_names(v_d.name)).definition)) r
      where v_d.kind = 'materialize'
    ) r(relation)
    where r.relation is not null
    union all
    select format('grant update on %s to %s', millrace.qualified_name(v_d.target), v_owner)
    where v_d.kind = 'counter'
  loop
    execute v_object.statement;
  end loop;
end
$$;

comment on function millrace.hand_over(millrace.derivation) is
  'Gives what a declaration has generated to the engine''s owner.';
