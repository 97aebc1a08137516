-- Tables of app_private and of the engine are for functions and views that run as their owner,
-- never for a role of an API itself.
select
  pg_class.oid::regclass::text as object,
  pg_catalog.pg_get_userbyid(grantee) || ' may ' || lower(privilege_type)
    || ': reach it through a function' as problem
from pg_catalog.pg_class
join pg_temp.project_schema on project_schema.oid = relnamespace
cross join lateral pg_catalog.aclexplode(relacl) as granted
where project_schema.nspname in ('app_private', 'millrace', 'millrace_log')
  and relkind in ('r', 'p')
  and (grantee = 0 or pg_catalog.pg_get_userbyid(grantee) in (
    'app_anonymous', 'app_account', 'app_moderator', 'app_operator', 'app_authenticator',
    'app_operator_login'))
