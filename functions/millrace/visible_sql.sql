/*
 * The row level security of a table for selects, as a condition that a view can carry: some
 * permissive policy for the reader's roles (nothing is visible where there is none) and every
 * restrictive one. Null where the table has no row level security. A view's reader is current_user
 * in its expressions, so policies mean the same there.
 */
create or replace function millrace.visible_sql(relation regclass)
  returns text
  language sql
  stable
  set search_path to ''
return (
  select concat_ws(' and ',
    coalesce('(' || string_agg(p.condition, E'\n  or ' order by p.name)
      filter (where p.permissive) || ')', 'false'),
    string_agg(format('(%s)', p.condition), E'\n  and ' order by p.name)
      filter (where not p.permissive))
  from pg_catalog.pg_class c
  left join lateral (
    select
      p.polname as name,
      p.polpermissive as permissive,
      case
        when p.polroles = '{0}' then format('(%s)', pg_get_expr(p.polqual, p.polrelid))
        when p.polpermissive then format('(%s) and (%s)', r.is_reader,
          pg_get_expr(p.polqual, p.polrelid))
        else format('not (%s) or (%s)', r.is_reader, pg_get_expr(p.polqual, p.polrelid))
      end as condition
    from pg_catalog.pg_policy p
    cross join lateral (
      select string_agg(
        format('pg_catalog.pg_has_role(current_user, %L, ''usage'')', pg_get_userbyid(o.role)),
        ' or ' order by o.role) as is_reader
      from unnest(p.polroles) o(role)
    ) r
    where p.polrelid = c.oid and p.polcmd in ('r', '*') and p.polqual is not null
  ) p on true
  where c.oid = visible_sql.relation and c.relrowsecurity
  group by c.oid
);

comment on function millrace.visible_sql(regclass) is
  'The row level security of a table for selects as a condition; null where there is none.';
