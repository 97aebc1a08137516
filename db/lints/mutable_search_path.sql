-- A function whose body is text resolves its names when it runs, through whatever search_path its
-- caller has. One with a body of the SQL standard is resolved when it is made.
select
  objects.identity as object,
  'resolves names through the caller''s search_path: add "set search_path to ''''"' as problem
from pg_catalog.pg_proc
join pg_temp.project_schema on project_schema.oid = pronamespace
join pg_catalog.pg_language on pg_language.oid = prolang
cross join lateral pg_catalog.pg_identify_object('pg_proc'::regclass, pg_proc.oid, 0) as objects
where lanname in ('sql', 'plpgsql')
  and prosqlbody is null
  and project_schema.nspname <> 'millrace_log'
  and prokind <> 'p'
  and not exists (
    select
    from unnest(proconfig) as setting (assignment)
    where setting.assignment like 'search_path=%'
  )
