/*
 * Compares the rights in this database with what holds for every migration (the lints of db/lints
 * check the files; this looks at the server that runs): a table of the API without row level
 * security, a function that everybody may execute, a login that owns or bypasses, a definer
 * function with the caller's search path.
 */
create or replace function app_private.review_security()
  returns bigint
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_findings bigint;
begin
  with project as (
    select n.oid, n.nspname
    from pg_catalog.pg_namespace n
    where n.nspname in (
      'millrace', 'millrace_log', 'app_public', 'app_hidden', 'app_private', 'app_operator')
  ),
  fault as (
    select c.oid::regclass::text as object, 'a table of the API without row level security'
      as problem
    from pg_catalog.pg_class c
    where c.relnamespace in ('app_public'::regnamespace, 'app_operator'::regnamespace)
      and c.relkind in ('r', 'p') and not c.relrowsecurity
    union all
    select p.oid::regprocedure::text, 'everybody may execute it'
    from pg_catalog.pg_proc p
    join project n on n.oid = p.pronamespace
    where exists (
      select
      from pg_catalog.aclexplode(coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))) a
      where a.grantee = 0 and a.privilege_type = 'EXECUTE'
    )
    union all
    select p.oid::regprocedure::text, 'security definer with the search path of its caller'
    from pg_catalog.pg_proc p
    join project n on n.oid = p.pronamespace
    where p.prosecdef and not exists (
      select from unnest(p.proconfig) s (assignment) where s.assignment like 'search_path=%')
    union all
    select c.oid::regclass::text, 'everybody may ' || lower(a.privilege_type)
    from pg_catalog.pg_class c
    join project n on n.oid = c.relnamespace
    cross join lateral pg_catalog.aclexplode(c.relacl) a
    where a.grantee = 0
    union all
    select c.oid::regclass::text,
      format('%s may %s', pg_catalog.pg_get_userbyid(a.grantee), lower(a.privilege_type))
    from pg_catalog.pg_class c
    join project n on n.oid = c.relnamespace
    cross join lateral pg_catalog.aclexplode(c.relacl) a
    where n.nspname in ('millrace', 'millrace_log', 'app_private')
      and a.grantee in (
        select r.oid from pg_catalog.pg_roles r
        where r.rolname in ('app_authenticator', 'app_operator_login'))
    union all
    select r.rolname, 'a login of the API with rights of its own: ' || concat_ws(', ',
      case when r.rolsuper then 'superuser' end,
      case when r.rolbypassrls then 'bypassrls' end,
      case when r.rolcreaterole then 'createrole' end,
      case when r.rolcreatedb then 'createdb' end,
      case when r.rolreplication then 'replication' end,
      case when r.rolinherit then 'inherit' end,
      case when pg_catalog.pg_has_role(r.oid, 'app_owner', 'member') then 'may become the owner'
      end)
    from pg_catalog.pg_roles r
    where r.rolname in ('app_authenticator', 'app_operator_login')
      and (r.rolsuper or r.rolbypassrls or r.rolcreaterole or r.rolcreatedb or r.rolreplication
        or r.rolinherit or pg_catalog.pg_has_role(r.oid, 'app_owner', 'member'))
    union all
    select 'schema public', 'everybody may make objects in it'
    from pg_catalog.pg_namespace s
    cross join lateral pg_catalog.aclexplode(s.nspacl) a
    where s.nspname = 'public' and a.grantee = 0 and a.privilege_type = 'CREATE'
  ),
  kept as (
    insert into app_private.security_finding (object, problem)
    select distinct f.object, f.problem from fault f
    on conflict do nothing
  ),
  gone as (
    delete from app_private.security_finding s
    where not exists (
      select from fault f where f.object = s.object and f.problem = s.problem)
  )
  select count(distinct (f.object, f.problem)) into v_findings from fault f;
  return v_findings;
end
$$;

comment on function app_private.review_security() is
  'Looks for rights that no migration gives; keeps what it finds in security_finding and returns '
  'how much.';
