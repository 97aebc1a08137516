/*
 * Tables by size, with what of it is estimated to be bloat.
 */
create or replace view app_operator.relation_size as
select
  app_hidden.relation_name(s.relid) as table_name,
  greatest(c.reltuples, 0)::bigint as estimated_rows,
  pg_catalog.pg_relation_size(s.relid) as table_bytes,
  pg_catalog.pg_indexes_size(s.relid) as index_bytes,
  pg_catalog.pg_total_relation_size(s.relid) as total_bytes,
  b.table_bloat_bytes,
  b.index_bloat_bytes,
  s.n_live_tup as live_rows,
  s.n_dead_tup as dead_rows,
  greatest(s.last_vacuum, s.last_autovacuum) as vacuumed_at,
  greatest(s.last_analyze, s.last_autoanalyze) as analyzed_at
from pg_catalog.pg_stat_user_tables s
join pg_catalog.pg_class c on c.oid = s.relid
left join app_private.estimate_bloat() b on b.relation = s.relid
order by pg_catalog.pg_total_relation_size(s.relid) desc, 1;

comment on view app_operator.relation_size is 'Tables by size, and what of it may be bloat.';
comment on column app_operator.relation_size.table_name is 'The table.';
comment on column app_operator.relation_size.estimated_rows is
  'Rows as of the last vacuum or analyze.';
comment on column app_operator.relation_size.table_bytes is 'Bytes of the table.';
comment on column app_operator.relation_size.index_bytes is 'Bytes of its indexes.';
comment on column app_operator.relation_size.total_bytes is 'Bytes of both and of long values.';
comment on column app_operator.relation_size.table_bloat_bytes is
  'Estimate of what its rows would not need; null before the first analyze. Rough: 20 % is '
  'nothing.';
comment on column app_operator.relation_size.index_bloat_bytes is
  'The same of its B-tree indexes over plain columns.';
comment on column app_operator.relation_size.live_rows is 'Rows, as counted since.';
comment on column app_operator.relation_size.dead_rows is 'Dead rows that vacuum will remove.';
comment on column app_operator.relation_size.vacuumed_at is 'When it was last vacuumed.';
comment on column app_operator.relation_size.analyzed_at is 'When it was last analyzed.';

grant select on app_operator.relation_size to app_operator;
