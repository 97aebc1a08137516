/*
 * Partitions of all partitioned tables, with their bounds and sizes.
 */
create or replace view app_operator.partition as
select
  app_hidden.relation_name(h.inhparent) as table_name,
  app_hidden.relation_name(h.inhrelid) as partition_name,
  pg_catalog.pg_get_expr(c.relpartbound, c.oid) as bounds,
  c.relpartbound is not null and pg_catalog.pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT'
    as is_default,
  h.inhdetachpending as is_detach_pending,
  greatest(c.reltuples, 0)::bigint as estimated_rows,
  pg_catalog.pg_total_relation_size(c.oid) as total_bytes
from pg_catalog.pg_inherits h
join pg_catalog.pg_class c on c.oid = h.inhrelid and c.relispartition and c.relkind in ('r', 'p')
order by 1, 2;

comment on view app_operator.partition is 'Partitions, with their bounds and sizes.';
comment on column app_operator.partition.table_name is 'The partitioned table.';
comment on column app_operator.partition.partition_name is 'The partition.';
comment on column app_operator.partition.bounds is 'What belongs in it.';
comment on column app_operator.partition.is_default is
  'Whether it takes what belongs in no other: it should stay empty.';
comment on column app_operator.partition.is_detach_pending is
  'Whether a detach was interrupted; the next upkeep finishes it.';
comment on column app_operator.partition.estimated_rows is 'Rows as of its last analyze.';
comment on column app_operator.partition.total_bytes is 'Bytes with indexes.';

grant select on app_operator.partition to app_operator;
