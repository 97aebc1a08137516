-- The API serves every table of app_public: which rows, a policy says.
select
  pg_class.oid::regclass::text as object,
  'a table of app_public without row level security' as problem
from pg_catalog.pg_class
where relnamespace = 'app_public'::regnamespace
  and relkind in ('r', 'p')
  and not relrowsecurity
