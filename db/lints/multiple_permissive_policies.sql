-- Several permissive policies for one role and action are joined by "or", and each is worked out
-- for every row: one policy says the same.
select
  polrelid::regclass::text as object,
  string_agg(polname, ', ' order by polname) || ': several permissive policies for '
    || action.name || ' of ' || coalesce(rolname, 'everybody') as problem
from pg_catalog.pg_policy
join pg_catalog.pg_class on pg_class.oid = polrelid
join pg_temp.project_schema on project_schema.oid = relnamespace
cross join lateral unnest(polroles) as role_id
left join pg_catalog.pg_roles on pg_roles.oid = role_id
join (
  values ('r', 'select'), ('a', 'insert'), ('w', 'update'), ('d', 'delete')
) as action (command, name) on polcmd in ('*', action.command::"char")
where polpermissive
group by polrelid, action.name, role_id, rolname
having count(*) > 1
