-- A policy that lets a role of the API write every row leaves the table to its grants alone.
-- Reading may be for everybody.
select
  polname || ' on ' || polrelid::regclass as object,
  'lets roles of the API write every row' as problem
from pg_catalog.pg_policy
where polpermissive
  and polcmd <> 'r'
  and (polroles = '{0}' or exists (
    select
    from unnest(polroles) as role_id
    join pg_catalog.pg_roles on pg_roles.oid = role_id
    where rolname in ('app_anonymous', 'app_account', 'app_moderator')
  ))
  and 'true' = all (array_remove(array[
    pg_catalog.pg_get_expr(polqual, polrelid), pg_catalog.pg_get_expr(polwithcheck, polrelid)
  ], null))
