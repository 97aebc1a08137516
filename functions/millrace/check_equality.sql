/*
 * Refuses columns that the engine would compare otherwise than their type does. Keys, members and
 * foreign keys are compared by `=` under an empty search_path, which is the type's own equality
 * only if that is in pg_catalog. citext would be compared as text: 'Tea' and 'tea' would be one
 * group, and one row of a primary key, yet not be found by each other. Arrays, rows and ranges
 * compare what they are made of by its own equality.
 */
create or replace function millrace.check_equality(relation regclass, columns name[])
  returns void
  language plpgsql
  stable
  set search_path to ''
as $$
declare
  v_column record;
begin
  for v_column in
    with recursive part(name, oid, position) as (
      select a.attname, a.atttypid, a.attnum
      from pg_catalog.pg_attribute a
      where a.attrelid = check_equality.relation and a.attname = any (check_equality.columns)
      union all
      select part.name, t.typbasetype, part.position
      from part
      join pg_catalog.pg_type t on t.oid = part.oid and t.typtype = 'd'
    )
    select part.name, format_type(part.oid, null) as type_name
    from part
    join pg_catalog.pg_opclass o on o.opcintype = part.oid and o.opcdefault
    join pg_catalog.pg_am m on m.oid = o.opcmethod
    join pg_catalog.pg_amop e
      on e.amopfamily = o.opcfamily and e.amoplefttype = part.oid and e.amoprighttype = part.oid
      and e.amopstrategy = case m.amname when 'btree' then 3 else 1 end
    join pg_catalog.pg_operator x on x.oid = e.amopopr
    where m.amname in ('btree', 'hash') and (
      x.oprnamespace <> 'pg_catalog'::regnamespace or x.oprname <> '='
    )
    order by part.position
    limit 1
  loop
    raise exception 'The column % of % has type %, which has an equality of its own',
      v_column.name, check_equality.relation, v_column.type_name using
      errcode = 'MR004',
      detail = 'Keys, members and foreign keys are compared by the operators of pg_catalog.',
      hint = 'Use another column that names the same row, or a generated column of a plain type: '
        'lower(column::text) for citext.';
  end loop;
end
$$;

comment on function millrace.check_equality(regclass, name[]) is
  'Refuses columns whose type is compared by an equality outside pg_catalog: MR004.';
