-- Postgres lets everybody run a new function. Here the default privileges take that away, unless
-- somebody else than app_owner made it.
select
  objects.identity as object,
  'everybody may execute it: revoke execute from public and grant it to the roles meant' as problem
from pg_catalog.pg_proc
join pg_temp.project_schema on project_schema.oid = pronamespace
cross join lateral pg_catalog.pg_identify_object('pg_proc'::regclass, pg_proc.oid, 0) as objects
where exists (
  select
  from pg_catalog.aclexplode(coalesce(proacl, pg_catalog.acldefault('f', proowner)))
  where grantee = 0 and privilege_type = 'EXECUTE'
)
