-- Row level security without a policy lets nobody see a row: of a table that is served, a policy
-- was forgotten. (In app_private that is the point.)
select
  pg_class.oid::regclass::text as object,
  'row level security without a policy: nobody sees a row of it' as problem
from pg_catalog.pg_class
where relnamespace in ('app_public'::regnamespace, 'app_operator'::regnamespace)
  and relkind in ('r', 'p')
  and relrowsecurity
  and not relispartition
  and not exists (select from pg_catalog.pg_policy where polrelid = pg_class.oid)
