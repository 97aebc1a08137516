-- It flattens every error, cancellation and lost connection into one.
select
  objects.identity as object,
  'catches "when others": name the conditions' as problem
from pg_catalog.pg_proc
join pg_temp.project_schema on project_schema.oid = pronamespace
cross join lateral pg_catalog.pg_identify_object('pg_proc'::regclass, pg_proc.oid, 0) as objects
where prosrc ~* '\mwhen\s+others\M'
