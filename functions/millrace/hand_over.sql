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
    select format('alter table %I.%I owner to %s', n.nspname, c.relname, v_owner) as statement
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'millrace_log' and c.relkind in ('r', 'v') and c.relowner <> v_owner::oid
    union all
    select format('alter function %s owner to %s', p.oid::regprocedure, v_owner)
    from pg_catalog.pg_proc p
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where p.proowner <> v_owner::oid and (
      n.nspname = 'millrace_log'
      or p.oid = to_regprocedure(
        format('%s(%s)', (millrace.generated(v_d)).exact, millrace.qualified_name(v_d.target)))
    )
    union all
    select format('grant usage on schema %I to %s', n.nspname, v_owner)
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.oid in (v_d.target, v_d.source, v_d.through)
    union all
    select format('grant select on %s to %s', millrace.qualified_name(r.relation), v_owner)
    from unnest(array[v_d.target, v_d.source, v_d.through]) r(relation)
    where r.relation is not null
    union all
    select format('grant update on %s to %s', millrace.qualified_name(v_d.target), v_owner)
  loop
    execute v_object.statement;
  end loop;
end
$$;

comment on function millrace.hand_over(millrace.derivation) is
  'Gives what a declaration has generated to the engine''s owner.';
