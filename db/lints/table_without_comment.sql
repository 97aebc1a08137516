-- As for functions: tables and views of the API are described where they are defined.
select
  pg_class.oid::regclass::text as object,
  'a table or view of the API needs a comment: one sentence for its reader' as problem
from pg_catalog.pg_class
where relnamespace in ('app_public'::regnamespace, 'app_operator'::regnamespace)
  and relkind in ('r', 'p', 'v', 'm')
  and not relispartition
  and pg_catalog.obj_description(pg_class.oid, 'pg_class') is null
