/*
 * Fails, with a serialization error, in a transaction whose snapshot is older than a truncate of a
 * table that a run is about to read, or than the detach of a partition of it. Neither is MVCC-safe:
 * such a snapshot sees the log rows from before it beside the table without the rows. Only
 * repeatable read and serializable transactions can get there. pg_class and pg_inherits are read by
 * the transaction's snapshot, pg_relation_filenode and pg_partition_tree look at the present.
 */
create or replace function millrace.check_snapshot()
  returns void
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_tables text;
  v_truncated text;
  v_detached text;
begin
  if current_setting('transaction_isolation') = 'read committed' then
    return;
  end if;
  v_tables := (
    select string_agg(distinct millrace.qualified_name(r.relation), ', ') from millrace.reading r
  );
  if v_tables is null then
    return;
  end if;
  execute format('lock table %s in access share mode', v_tables);
  select millrace.qualified_name(c.oid) into v_truncated
    from millrace.reading r
    cross join lateral (
      select r.relation as relid
      union
      select p.relid from pg_catalog.pg_partition_tree(r.relation) p
    ) t
    join pg_catalog.pg_class c on c.oid = t.relid and c.relkind = 'r'
    where pg_relation_filenode(c.oid) <> c.relfilenode
    limit 1;
  with recursive member(relation, root) as (
    select r.relation::oid, r.relation from millrace.reading r
    union
    select i.inhrelid, m.root
    from member m
    join pg_catalog.pg_inherits i on i.inhparent = m.relation
    join pg_catalog.pg_class c on c.oid = i.inhrelid and c.relispartition
  )
  select millrace.qualified_name(m.root) into v_detached
    from member m
    where m.relation <> m.root and m.relation not in (
      select p.relid from pg_catalog.pg_partition_tree(m.root) p
    )
    limit 1;
  if v_truncated is not null then
    raise exception '% was truncated or rewritten after this transaction began', v_truncated using
      errcode = 'serialization_failure',
      detail = 'Its snapshot no longer shows the rows that the log speaks of.',
      hint = 'Try again in a new transaction.';
  end if;
  if v_detached is not null then
    raise exception 'A partition of % was detached after this transaction began', v_detached using
      errcode = 'serialization_failure',
      detail = 'Its snapshot no longer shows the rows that the log speaks of.',
      hint = 'Try again in a new transaction.';
  end if;
end
$$;

comment on function millrace.check_snapshot() is
  'Fails with 40001 where the transaction''s snapshot is older than a truncate of a '
  'source or the detach of a partition.';
