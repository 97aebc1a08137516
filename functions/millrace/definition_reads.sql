/*
 * What a definition reads, as Postgres' own parser saw it: tables, materialized views and their
 * columns, through nested views. Where a whole row is read, it is all columns; each rule is
 * searched for that once, because as text it is long.
 */
create or replace function millrace.definition_reads(definition regclass)
  returns table (relation regclass, kind "char", columns name[])
  language sql
  stable
  set search_path to ''
begin atomic
  with rule as materialized (
    select r.oid, r.ev_action::text ~ ':varattno 0\M' as reads_whole_rows
    from millrace.definition_views(definition_reads.definition) v(relation)
    join pg_catalog.pg_rewrite r on r.ev_class = v.relation
  )
  select c.oid::regclass, c.relkind,
    coalesce(
      array_agg(distinct a.attname order by a.attname) filter (where a.attname is not null), '{}')
  from rule r
  join pg_catalog.pg_depend d
    on d.classid = 'pg_catalog.pg_rewrite'::regclass and d.objid = r.oid
    and d.refclassid = 'pg_catalog.pg_class'::regclass
  join pg_catalog.pg_class c on c.oid = d.refobjid and c.relkind <> 'v'
  left join pg_catalog.pg_attribute a
    on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    and (a.attnum = d.refobjsubid or r.reads_whole_rows)
  group by c.oid, c.relkind;
end;

comment on function millrace.definition_reads(regclass) is
  'The tables and materialized views that a definition reads, with the columns it needs of them.';
