-- The comment of a column of the API is its description in the GraphQL schema. The engine's live
-- views have the columns of their relations.
select
  attrelid::regclass || '.' || attname as object,
  'a column of the API needs a comment' as problem
from pg_catalog.pg_attribute
join pg_catalog.pg_class on pg_class.oid = attrelid
where relnamespace in ('app_public'::regnamespace, 'app_operator'::regnamespace)
  and relkind in ('r', 'p', 'v', 'c')
  and not exists (
    select
    from millrace.derivation
    where strategy = 'incremental'
      and to_regclass((millrace.relation_names(name)).live) = pg_class.oid
  )
  and not relispartition
  and attnum > 0
  and not attisdropped
  and pg_catalog.col_description(attrelid, attnum) is null
