-- A materialized view knows no policies: it lives in app_private, behind a view that has them.
select
  pg_class.oid::regclass::text as object,
  'a materialized view in a schema of an API: policies do not apply to it' as problem
from pg_catalog.pg_class
where relnamespace in ('app_public'::regnamespace, 'app_operator'::regnamespace) and relkind = 'm'
