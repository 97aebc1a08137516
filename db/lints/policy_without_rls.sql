-- A policy does nothing until row level security is on.
select
  polname || ' on ' || polrelid::regclass as object,
  'a policy of a table without row level security: it has no effect' as problem
from pg_catalog.pg_policy
join pg_catalog.pg_class on pg_class.oid = polrelid
join pg_temp.project_schema on project_schema.oid = relnamespace
where not relrowsecurity
