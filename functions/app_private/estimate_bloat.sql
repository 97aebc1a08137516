/*
 * An estimate of bloat from the planner's statistics, without reading the tables.
 *
 * Bytes that the rows need, from the page layout that Postgres documents (chapter "Database
 * Physical Storage"): a page of block_size bytes with a header of 24; for each row an item pointer
 * of 4, a header of 23 (and a null bitmap where columns may be null) rounded up to 8, and the
 * average widths of its columns (pg_stats.avg_width, weighted by null_frac) rounded up to 8. A
 * B-tree leaf has a special space of 16 more, an index tuple a header of 8, and pages are filled to
 * the fillfactor (90 by default for B-trees, 100 for tables). What the relation has beyond that is
 * the bloat. The idea of comparing the two is that of the queries of check_postgres and pgsql-
 * bloat-estimation (ioguix); as theirs it does not know of alignment inside a row, of deduplicated
 * index entries (which make the estimate of an index too low) and of long values kept apart.
 *
 * Runs as its owner: pg_stats shows the statistics of a table only to those who may read it.
 */
create or replace function app_private.estimate_bloat(
  out relation oid, out table_bloat_bytes bigint, out index_bloat_bytes bigint
)
  returns setof record
  language sql
  stable
  security definer
  set search_path to ''
begin atomic
  with page as (
    select current_setting('block_size')::integer as size
  ),
  width as (
    select a.attrelid, a.attnum,
      coalesce(max((1 - s.null_frac) * s.avg_width), 0) as bytes,
      count(s.attname) > 0 as is_known,
      coalesce(max(s.null_frac), 0) > 0 as has_nulls
    from pg_catalog.pg_attribute a
    join pg_catalog.pg_class c on c.oid = a.attrelid and c.relkind in ('r', 'm')
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    left join pg_catalog.pg_stats s
      on s.schemaname = n.nspname and s.tablename = c.relname and s.attname = a.attname
        and not s.inherited
    where a.attnum > 0 and not a.attisdropped
      and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_toast'
    group by a.attrelid, a.attnum
  ),
  heap as (
    select c.oid,
      c.relpages::bigint as pages,
      ceil(greatest(c.reltuples, 0) * (
        4 + 8 * ceil((23 + case when bool_or(w.has_nulls) then (count(*) + 7) / 8 else 0 end) / 8.0)
          + 8 * ceil(sum(w.bytes) / 8.0)
      ) / ((p.size - 24) * coalesce((
        select o.option_value::numeric
        from pg_catalog.pg_options_to_table(c.reloptions) o where o.option_name = 'fillfactor'
      ), 100) / 100.0)) as needed
    from pg_catalog.pg_class c
    join width w on w.attrelid = c.oid
    cross join page p
    where c.reltuples > 0
    group by c.oid, p.size
    having bool_and(w.is_known)
  ),
  tree as (
    select i.indrelid as oid,
      x.relpages::bigint as pages,
      1 + ceil(greatest(x.reltuples, 0) * (4 + 8 + 8 * ceil(sum(w.bytes) / 8.0))
        / ((p.size - 40) * coalesce((
          select o.option_value::numeric
          from pg_catalog.pg_options_to_table(x.reloptions) o where o.option_name = 'fillfactor'
        ), 90) / 100.0)) as needed
    from pg_catalog.pg_index i
    join pg_catalog.pg_class x on x.oid = i.indexrelid
    join pg_catalog.pg_am m on m.oid = x.relam and m.amname = 'btree'
    cross join lateral unnest(i.indkey::smallint[]) as k (attnum)
    join width w on w.attrelid = i.indrelid and w.attnum = k.attnum and w.is_known
    cross join page p
    where x.reltuples > 0 and 0 <> all (i.indkey::smallint[])
    group by i.indexrelid, i.indrelid, i.indnatts, x.relpages, x.reltuples, x.reloptions, p.size
    having count(*) = i.indnatts
  )
  select h.oid,
    (greatest(h.pages - h.needed, 0) * p.size)::bigint,
    (
      select (sum(greatest(t.pages - t.needed, 0)) * p.size)::bigint from tree t where t.oid = h.oid
    )
  from heap h
  cross join page p;
end;

comment on function app_private.estimate_bloat() is
  'Estimated bloat in bytes of each table that was analyzed, and of its B-tree indexes.';

grant execute on function app_private.estimate_bloat() to app_operator;
