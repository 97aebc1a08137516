-- Values and names get into dynamic SQL by format with %I and %L, or by using: what is concatenated
-- is read as SQL.
select
  objects.identity as object,
  'executes a text put together with ||: use format, or using' as problem
from pg_catalog.pg_proc
join pg_temp.project_schema on project_schema.oid = pronamespace
join pg_catalog.pg_language on pg_language.oid = prolang
cross join lateral pg_catalog.pg_identify_object('pg_proc'::regclass, pg_proc.oid, 0) as objects
where lanname = 'plpgsql'
  and prosrc ~* '\mexecute\s+''[^;'']*''\s*\|\|'
