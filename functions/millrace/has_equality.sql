/*
 * Whether values of a column can be compared: json, xml and points cannot, nor what is made of
 * them. A domain is what it is made of, an array its elements, a row its columns; a type without
 * operators of its own (varchar, cidr) may have those of one that is stored in the same way.
 */
create or replace function millrace.has_equality(relation regclass, column_name name)
  returns boolean
  language sql
  stable
  set search_path to ''
begin atomic
  with recursive part(oid) as (
    select a.atttypid
    from pg_catalog.pg_attribute a
    where a.attrelid = has_equality.relation and a.attname = has_equality.column_name
    union
    select p.oid
    from part
    join pg_catalog.pg_type t on t.oid = part.oid
    cross join lateral (
      select t.typbasetype where t.typtype = 'd'
      union all
      select t.typelem where t.typcategory = 'A'
      union all
      select a.atttypid
      from pg_catalog.pg_attribute a
      where t.typtype = 'c' and a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
    ) p(oid)
  )
  select coalesce(bool_and(
    t.typtype in ('c', 'd') or t.typcategory = 'A' or exists (
      select
      from pg_catalog.pg_opclass o
      join pg_catalog.pg_am m on m.oid = o.opcmethod and m.amname in ('hash', 'btree')
      where o.opcdefault and (
        o.opcintype = t.oid
        or o.opcintype = 'anyenum'::regtype and t.typtype = 'e'
        or o.opcintype = 'anyrange'::regtype and t.typtype = 'r'
        or o.opcintype = 'anymultirange'::regtype and t.typtype = 'm'
        or exists (
          select from pg_catalog.pg_cast c
          where c.castsource = t.oid and c.casttarget = o.opcintype and c.castmethod = 'b'
            and c.castcontext = 'i'
        )
      )
    )), false)
  from part
  join pg_catalog.pg_type t on t.oid = part.oid;
end;

comment on function millrace.has_equality(regclass, name) is
  'Whether the type of a column has an equality.';
