/*
 * How often the blocks of each table and index were found in Postgres' memory, since its statistics
 * were last reset; those with most reads from the system first.
 */
create or replace view app_operator.cache_hit as
select q.*, 100.0 * q.blocks_hit / nullif(q.blocks_hit + q.blocks_read, 0) as hit_percent
from (
  select 'table' as kind, app_hidden.relation_name(t.relid) as table_name, null::text as index_name,
    t.heap_blks_hit as blocks_hit, t.heap_blks_read as blocks_read
  from pg_catalog.pg_statio_user_tables t
  union all
  select 'index', app_hidden.relation_name(i.relid), i.indexrelname, i.idx_blks_hit, i.idx_blks_read
  from pg_catalog.pg_statio_user_indexes i
) q
where q.blocks_hit + q.blocks_read > 0
order by q.blocks_read desc, q.table_name, q.index_name;

comment on view app_operator.cache_hit is
  'How often blocks of tables and indexes were found in memory; what read most from disk first.';
comment on column app_operator.cache_hit.kind is 'table or index.';
comment on column app_operator.cache_hit.table_name is 'The table.';
comment on column app_operator.cache_hit.index_name is 'The index; null for the table itself.';
comment on column app_operator.cache_hit.blocks_hit is 'Blocks found in memory.';
comment on column app_operator.cache_hit.blocks_read is
  'Blocks asked of the operating system, which may have had them in memory.';
comment on column app_operator.cache_hit.hit_percent is 'Blocks found, of all.';

grant select on app_operator.cache_hit to app_operator;
