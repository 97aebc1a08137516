/*
 * A view and the views that it reads, however deeply: together they are the definition.
 */
create or replace function millrace.definition_views(definition regclass)
  returns setof regclass
  language sql
  stable
  set search_path to ''
begin atomic
  with recursive reached(relation) as (
    select definition_views.definition
    union
    select d.refobjid::regclass
    from reached
    join pg_catalog.pg_rewrite r on r.ev_class = reached.relation
    join pg_catalog.pg_depend d
      on d.classid = 'pg_catalog.pg_rewrite'::regclass and d.objid = r.oid
      and d.refclassid = 'pg_catalog.pg_class'::regclass
    join pg_catalog.pg_class c on c.oid = d.refobjid and c.relkind = 'v'
  )
  select reached.relation from reached;
end;

comment on function millrace.definition_views(regclass) is 'A view and the views that it reads.';
