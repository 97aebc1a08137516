-- A timestamp without time zone means another moment to every client.
select
  attrelid::regclass || '.' || attname as object,
  'timestamp without time zone: use timestamptz' as problem
from pg_catalog.pg_attribute
join pg_catalog.pg_class on pg_class.oid = attrelid
join pg_temp.project_schema on project_schema.oid = relnamespace
where relkind in ('r', 'p')
  and attnum > 0
  and not attisdropped
  and atttypid = 'timestamp'::regtype
