-- A foreign table knows no policies.
select
  pg_class.oid::regclass::text as object,
  'a foreign table in a schema of an API: policies do not apply to it' as problem
from pg_catalog.pg_class
where relnamespace in ('app_public'::regnamespace, 'app_operator'::regnamespace)
  and relkind = 'f'
