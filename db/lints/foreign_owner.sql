-- app_owner owns everything: what somebody else owns, a migration cannot change and a definer
-- function runs as somebody unforeseen.
select
  project_schema.nspname || '.' || owned.name as object,
  'belongs to ' || pg_catalog.pg_get_userbyid(owned.owner) || ': it must belong to app_owner'
    as problem
from pg_temp.project_schema
cross join lateral (
  select proname::text, proowner from pg_catalog.pg_proc where pronamespace = project_schema.oid
  union all
  select relname, relowner from pg_catalog.pg_class where relnamespace = project_schema.oid
  union all
  select typname, typowner from pg_catalog.pg_type where typnamespace = project_schema.oid
  union all
  select '(schema)', nspowner from pg_catalog.pg_namespace where oid = project_schema.oid
) as owned (name, owner)
where owned.owner is distinct from pg_catalog.to_regrole('app_owner')
