-- Two indexes with the same columns, classes, collations, order and predicate cost every write
-- twice and serve one search.
select
  indexrelid::regclass::text as object,
  'the same index as ' || other.name as problem
from pg_catalog.pg_index
join pg_catalog.pg_class on pg_class.oid = indexrelid
join pg_temp.project_schema on project_schema.oid = relnamespace
join lateral (
  select same.indexrelid::regclass::text as name
  from pg_catalog.pg_index as same
  join pg_catalog.pg_class as same_class on same_class.oid = same.indexrelid
  where same.indrelid = pg_index.indrelid
    -- the one that guards more stays
    and (same.indisprimary, same.indisunique, -same.indexrelid::bigint)
      > (pg_index.indisprimary, pg_index.indisunique, -pg_index.indexrelid::bigint)
    and same_class.relam = pg_class.relam
    and same.indkey = pg_index.indkey
    and same.indnkeyatts = pg_index.indnkeyatts
    and same.indclass = pg_index.indclass
    and same.indcollation = pg_index.indcollation
    and same.indoption = pg_index.indoption
    and same.indnullsnotdistinct = pg_index.indnullsnotdistinct
    and pg_catalog.pg_get_expr(same.indexprs, same.indrelid)
      is not distinct from pg_catalog.pg_get_expr(pg_index.indexprs, pg_index.indrelid)
    and pg_catalog.pg_get_expr(same.indpred, same.indrelid)
      is not distinct from pg_catalog.pg_get_expr(pg_index.indpred, pg_index.indrelid)
  limit 1
) as other on true
