-- The comment of a function of the API is its description in the GraphQL schema and in
-- reference.md.
select
  objects.identity as object,
  'a function of the API needs a comment: one sentence for its caller' as problem
from pg_catalog.pg_proc
cross join lateral pg_catalog.pg_identify_object('pg_proc'::regclass, pg_proc.oid, 0) as objects
where pronamespace in ('app_public'::regnamespace, 'app_operator'::regnamespace)
  and prorettype <> 'trigger'::regtype
  and pg_catalog.obj_description(pg_proc.oid, 'pg_proc') is null
