-- A column that is called a secret and that a role of an API may read.
select
  attrelid::regclass || '.' || attname as object,
  rolname || ' may read it' as problem
from pg_catalog.pg_attribute
join pg_catalog.pg_class on pg_class.oid = attrelid
join pg_temp.project_schema on project_schema.oid = relnamespace
cross join pg_catalog.pg_roles
where relkind in ('r', 'p', 'v', 'm')
  and attnum > 0
  and not attisdropped
  and attname ~ '(^|_)(secret|password|passphrase|private_key|token|signature|salt)(_|$)'
  and rolname in ('app_anonymous', 'app_account', 'app_moderator', 'app_operator')
  and pg_catalog.has_column_privilege(pg_roles.oid, attrelid, attnum, 'select')
