/*
 * Which columns of a view are plain columns of tables, through nested views: from the view's parse
 * tree, where Postgres notes the origin of each.
 */
create or replace function millrace.column_origins(definition regclass)
  returns table (name name, relation regclass, attnum smallint)
  language sql
  stable
  set search_path to ''
begin atomic
  with recursive origin(name, relation, attnum) as (
    select a.attname, column_origins.definition, a.attnum
    from pg_catalog.pg_attribute a
    where a.attrelid = column_origins.definition and a.attnum > 0
    union
    select o.name, t.relation, t.attnum
    from origin o
    join pg_catalog.pg_class c on c.oid = o.relation and c.relkind = 'v'
    join pg_catalog.pg_attribute a on a.attrelid = o.relation and a.attnum = o.attnum
    join pg_catalog.pg_rewrite r on r.ev_class = c.oid
    cross join lateral (
      -- the last entry of that number is that of the outermost query
      select m.parts[3]::oid::regclass as relation, m.parts[4]::smallint as attnum
      from regexp_matches(r.ev_action::text,
        ':resno (\d+) :resname (\S+) :ressortgroupref \d+ '
        ':resorigtbl (\d+) :resorigcol (\d+) :resjunk false', 'g')
        with ordinality m(parts, position)
      where m.parts[1] = o.attnum::text and replace(m.parts[2], '\', '') = a.attname
      order by m.position desc
      limit 1
    ) t
    where t.relation::oid <> 0
  )
  select o.name, o.relation, o.attnum
  from origin o
  join pg_catalog.pg_class c on c.oid = o.relation and c.relkind in ('r', 'p', 'm');
end;

comment on function millrace.column_origins(regclass) is
  'The columns of a view that are plain columns of tables, and which.';
