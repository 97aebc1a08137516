/*
 * What people have put on a relation besides rows and indexes, as statements that put it on its
 * successor of the same name, which may be of the other strategy: grants, comments, and row level
 * security where it is a table.
 */
create or replace function millrace.dress_sql(relation regclass, columns name[], strategy text)
  returns text[]
  language sql
  stable
  set search_path to ''
begin atomic
  select coalesce(array_agg(s.statement), '{}')
  from pg_catalog.pg_class c
  cross join lateral (
    select millrace.qualified_name(c.oid) as name,
      case dress_sql.strategy when 'refresh' then 'materialized view' else 'table' end as kind
  ) n
  cross join lateral (
    select format('grant %s on %s to %s%s', x.privilege_type, n.name,
      case when x.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(x.grantee)) end,
      case when x.is_grantable then ' with grant option' else '' end) as statement
    from aclexplode(c.relacl) x
    where x.grantee <> c.relowner
    union all
    select format('grant %s (%I) on %s to %s', x.privilege_type, a.attname, n.name,
      case when x.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(x.grantee)) end)
    from pg_catalog.pg_attribute a
    cross join lateral aclexplode(a.attacl) x
    where a.attrelid = c.oid and a.attname = any (dress_sql.columns)
    union all
    select format('comment on %s %s is %L', n.kind, n.name, obj_description(c.oid, 'pg_class'))
    where obj_description(c.oid, 'pg_class') is not null
    union all
    select format('comment on column %s.%I is %L', n.name, a.attname,
      col_description(c.oid, a.attnum))
    from pg_catalog.pg_attribute a
    where a.attrelid = c.oid and a.attname = any (dress_sql.columns)
      and col_description(c.oid, a.attnum) is not null
    union all
    select format('alter table %s enable row level security', n.name) where c.relrowsecurity
    union all
    select format('create policy %I on %s as %s for %s to %s%s', p.polname, n.name,
      case when p.polpermissive then 'permissive' else 'restrictive' end,
      case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update'
        when 'd' then 'delete' else 'all' end,
      (
        select string_agg(case when r.role = 0 then 'public'
          else quote_ident(pg_get_userbyid(r.role)) end, ', ')
        from unnest(p.polroles) r(role)
      ),
      coalesce(format(' using (%s)', pg_get_expr(p.polqual, p.polrelid)), ''))
    from pg_catalog.pg_policy p
    where p.polrelid = c.oid and dress_sql.strategy = 'incremental'
  ) s
  where c.oid = dress_sql.relation;
end;

comment on function millrace.dress_sql(regclass, name[], text) is
  'Grants, comments and policies of a relation, as statements.';
