-- Deleting or re-keying a parent searches its children: without an index that is a full scan under
-- a row lock. An index must begin with the key's columns in any order, or with its first column:
-- the further columns of a composite key only repeat what the first one determines.
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
        indkey[0] = conkey[1]
        or (
          select pg_catalog.array_agg(member order by member)
          from unnest((indkey::int2[])[0:cardinality(conkey) - 1]) as member
        ) = (select pg_catalog.array_agg(member order by member) from unnest(conkey) as member)
      )
  )
