-- An API serves every table of its schema: which rows, a policy says.
select
  pg_class.oid::regclass::text as object,
  'a table of an API without row level security' as problem
from pg_catalog.pg_class
where relnamespace in ('app_public'::regnamespace, 'app_operator'::regnamespace)
  and relkind in ('r', 'p')
  and not relrowsecurity
