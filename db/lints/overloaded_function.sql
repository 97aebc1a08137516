-- PostGraphile exposes no overloads, and a file replaces the one function that it is named after.
select
  pronamespace::regnamespace || '.' || proname as object,
  'has ' || count(*) || ' signatures: one signature per name' as problem
from pg_catalog.pg_proc
join pg_temp.project_schema on project_schema.oid = pronamespace
group by pronamespace, proname
having count(*) > 1
