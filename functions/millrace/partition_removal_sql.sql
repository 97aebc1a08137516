/*
 * What the removal of a partition means for what is derived, as statements. append takes all rows
 * of the partition as of its snapshot, and returns how many rows it wrote and that snapshot;
 * correction ($1: that snapshot) makes up for what changed since, from the notes. Together they
 * speak of the rows that the partition holds when it goes, though nobody is held up while they are
 * read. condition, where there is one, is run between them and returns a reason not to remove it;
 * finish after them, under all locks.
 *
 * For each log of the table: the images with sign -1, like those of a truncate. Where only counts
 * are derived, equal images become one with their number as its sign (181 at most, because the
 * delta rule multiplies two signs in a smallint): a month of rows is then drained in moments. Sums
 * get one each, or their product could leave its type.
 *
 * With keep_derived nothing is logged; instead each counter keeps what the rows contribute, and
 * each derived relation the rows of the keys that they touch.
 *
 * Where the table is a target: the keys, to be counted afresh should they be used again.
 */
create or replace function millrace.partition_removal_sql(relation regclass, partition regclass)
  returns table (append text, condition text, correction text, finish text)
  language plpgsql
  stable
  set search_path to ''
as $$
declare
  v_partition constant text := millrace.qualified_name(partition_removal_sql.partition);
  v_tables constant regclass[] := array(
    select a.relid from pg_catalog.pg_partition_ancestors(partition_removal_sql.relation) a
  );
  v_keep boolean;
  v_columns constant text := (
    select string_agg(distinct format('%I %s', c.name,
      millrace.column_type(partition_removal_sql.relation, c.name)), ', ')
    from (
      select unnest(r.columns)
      from millrace.partition_readers(partition_removal_sql.relation) r
      union
      select unnest(d.target_key) from millrace.derivation d
      where d.kind = 'counter' and d.target = any (v_tables)
    ) c(name)
  );
  v_changes constant text := format(
    E'millrace.partition_change c\n'
    'cross join lateral jsonb_to_record(c.image) r(%s)\n'
    'where c.partition = %s and not pg_catalog.pg_visible_in_snapshot(c.changed_by, $1)',
    coalesce(v_columns, 'nothing text'), partition_removal_sql.partition::oid);
  v_source record;
  v_d millrace.derivation;
begin
  select p.keep_derived into v_keep
    from millrace.partitioning p where p.relation = partition_removal_sql.relation;

  for v_source in
    select
      millrace.qualified_name(s.log) as log,
      s.columns,
      cardinality(s.columns) > 0 and not exists (
        select from millrace.derivation d
        where s.relation in (d.source, d.through) and d.value <> '1'
      ) as is_countable
    from millrace.source s
    where s.relation = any (v_tables) and not v_keep
  loop
    append := format(
      E'with appended as (\n'
      '  insert into %s (%s)\n'
      '%s\n'
      '  returning 1\n'
      ')\n'
      'select count(*), pg_catalog.pg_current_snapshot() from appended',
      v_source.log,
      concat_ws(', ', 'sign', nullif(millrace.list(v_source.columns), '')),
      case
        when v_source.columns = '{}' then format('  select -1 from %s limit 1', v_partition)
        when v_source.is_countable then format(
          E'  select -least(181, g.n - 181 * (i.i - 1)), %s\n'
          '  from (select %1$s, count(*) as n from %2$s group by %1$s) g\n'
          '  cross join lateral generate_series(1, (g.n + 180) / 181) i(i)',
          millrace.list(v_source.columns), v_partition)
        else format('  select -1, %s from %s', millrace.list(v_source.columns), v_partition)
      end);
    correction := format(
      E'insert into %s (%s)\n'
      'select %s\n'
      'from %s',
      v_source.log,
      concat_ws(', ', 'sign', nullif(millrace.list(v_source.columns), '')),
      concat_ws(', ', '-c.sign', nullif(millrace.list(v_source.columns, 'r.%I'), '')),
      v_changes);
    return next;
  end loop;

  for v_d in
    select d.*
    from millrace.derivation d
    join millrace.partition_readers(partition_removal_sql.relation) r on r.id = d.id
    where v_keep
  loop
    if v_d.kind = 'counter' then
      return query select k.append, null, k.correction, null
        from millrace.partition_keep_counts_sql(v_d, partition_removal_sql.partition, v_changes) k;
    elsif v_d.kind = 'materialize' then
      return query select k.append, k.condition, k.correction, k.finish
        from millrace.partition_keep_rows_sql(
          v_d, partition_removal_sql.relation, partition_removal_sql.partition, v_changes) k;
    end if;
  end loop;

  for v_source in
    select distinct (millrace.generated(d)).recount as log, d.target_key as columns
    from millrace.derivation d
    where d.kind = 'counter' and d.target = any (v_tables)
  loop
    append := format(
      E'with appended as (\n'
      '  insert into %1$s (%2$s) select %2$s from %3$s returning 1\n'
      ')\n'
      'select count(*), pg_catalog.pg_current_snapshot() from appended',
      v_source.log, millrace.list(v_source.columns), v_partition);
    correction := format(
      E'insert into %s (%s)\n'
      'select %s\n'
      'from %s',
      v_source.log,
      millrace.list(v_source.columns),
      millrace.list(v_source.columns, 'r.%I'),
      v_changes);
    return next;
  end loop;
end
$$;

comment on function millrace.partition_removal_sql(regclass, regclass) is
  'What the removal of a partition appends to the logs, and what corrects it, as SQL.';
