-- Deleting or re-keying a parent searches its children: without an index that is a full scan under a
-- row lock. The index must begin with the key's columns, in any order.
select
  conrelid::regclass || '.' || conname as object,
  'no index begins with the columns of this foreign key' as problem
from pg_catalog.pg_constraint
join pg_temp.project_schema on project_schema.oid = connamespace
where contype = 'f'
  and conparentid = 0
  and not exists (
    select
    from pg_catalog.pg_index
    where indrelid = conrelid
      and indpred is null
      and indisvalid
      and (
        select pg_catalog.array_agg(member order by member)
        from unnest((indkey::int2[])[0:cardinality(conkey) - 1]) as member
      ) = (select pg_catalog.array_agg(member order by member) from unnest(conkey) as member)
  )
