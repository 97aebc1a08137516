-- set_config(…, false) survives the commit and meets the next request of a pooled connection.
select
  objects.identity as object,
  'set_config(…, false) outlives the transaction: say true' as problem
from pg_catalog.pg_proc
join pg_temp.project_schema on project_schema.oid = pronamespace
cross join lateral pg_catalog.pg_identify_object('pg_proc'::regclass, pg_proc.oid, 0) as objects
where prosrc ~* 'set_config\s*\([^;]*,\s*(is_local\s*=>\s*)?false\s*\)'
