/*
 * Which columns of a view are plain columns of tables, through nested views: from the views' parse
 * trees, where Postgres notes the origin of each column of a query. Of the queries in a tree the
 * view's own is the outermost, whose columns are two braces deep; a brace in a name is escaped.
 */
create or replace function millrace.column_origins(definition regclass)
  returns table (name name, relation regclass, attnum smallint)
  language sql
  stable
  set search_path to ''
begin atomic
  with recursive token as (
    select v.relation, m.parts,
      sum(case m.parts[1] when '{' then 1 when '}' then -1 else 0 end)
        over (partition by v.relation order by m.position) as depth
    from millrace.definition_views(column_origins.definition) v(relation)
    join pg_catalog.pg_rewrite r on r.ev_class = v.relation
    cross join lateral regexp_matches(r.ev_action::text,
      '(\\.|[{}])|'
      ':resno (\d+) :resname (?:\\.|[^ \\])+ :ressortgroupref \d+ '
      ':resorigtbl (\d+) :resorigcol (\d+) :resjunk false', 'g')
      with ordinality m(parts, position)
  ),
  link as materialized (
    select t.relation, t.parts[2]::smallint as attnum,
      t.parts[3]::oid::regclass as read_relation, t.parts[4]::smallint as read_attnum
    from token t
    where t.depth = 2 and t.parts[3] <> '0'
  ),
  origin(name, relation, attnum) as (
    select a.attname, column_origins.definition, a.attnum
    from pg_catalog.pg_attribute a
    where a.attrelid = column_origins.definition and a.attnum > 0
    union
    select o.name, l.read_relation, l.read_attnum
    from origin o
    join link l on l.relation = o.relation and l.attnum = o.attnum
  )
  select o.name, o.relation, o.attnum
  from origin o
  join pg_catalog.pg_class c on c.oid = o.relation and c.relkind in ('r', 'p', 'm');
end;

comment on function millrace.column_origins(regclass) is
  'The columns of a view that are plain columns of tables, and which.';
