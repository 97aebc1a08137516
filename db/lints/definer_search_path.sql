-- A security definer function that resolves names through the caller's search_path runs whatever
-- the caller puts in front (CVE-2018-1058).
select
  objects.identity as object,
  'security definer without a pinned search_path: add "set search_path to ''''"' as problem
from pg_catalog.pg_proc
join pg_temp.project_schema on project_schema.oid = pronamespace
cross join lateral pg_catalog.pg_identify_object('pg_proc'::regclass, pg_proc.oid, 0) as objects
where prosecdef
  and not exists (
    select
    from unnest(proconfig) as setting (assignment)
    where setting.assignment like 'search_path=%'
  )
