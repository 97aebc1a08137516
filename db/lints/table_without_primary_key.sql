-- The logs of the engine have no key on purpose: an append must never wait.
select
  pg_class.oid::regclass::text as object,
  'a table without primary key' as problem
from pg_catalog.pg_class
join pg_temp.project_schema on project_schema.oid = relnamespace
where relkind in ('r', 'p')
  and project_schema.nspname <> 'millrace_log'
  and not exists (
    select
    from pg_catalog.pg_constraint
    where conrelid = pg_class.oid and contype = 'p'
  )
