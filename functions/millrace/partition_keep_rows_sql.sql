/*
 * Keeps the rows of a derived relation whose keys the rows of a partition touch, as
 * partition_removal_sql: they are what they are when the partition goes, and nothing changes them
 * any more.
 *
 * That is right where a key has all its rows in one partition, or at least none in those that are
 * still written: a day, for example, or a day and a kind. Where it has not, the row would stand
 * still while its rows come in: so a thousand rows of the newest partition that has some are looked
 * at, and if one of them touches a key that would be kept, the partition stays.
 */
create or replace function millrace.partition_keep_rows_sql(
  derivation millrace.derivation, relation regclass, partition regclass, changes text
)
  returns table (append text, condition text, correction text, finish text)
  language plpgsql
  stable
  set search_path to ''
as $$
declare
  v_d constant millrace.derivation := partition_keep_rows_sql.derivation;
  v_names constant record := millrace.relation_names(v_d.name);
  v_partition constant regclass := partition_keep_rows_sql.partition;
  v_key constant text := millrace.list(v_d.target_key);
  v_kept text;
  v_mapping millrace.mapping;
  v_key_json text;
  v_head text;
  v_tail text;
  v_newest text;
  v_candidate text;
  v_has_rows boolean;
begin
  select millrace.qualified_name(k.kept) into strict v_kept
    from millrace.partition_kept k where k.name = v_d.name;
  select m.* into strict v_mapping
    from millrace.mapping m
    join pg_catalog.pg_partition_ancestors(partition_keep_rows_sql.relation) a
      on a.relid = m.source
    where m.derivation = v_d.id;
  v_key_json := format('jsonb_build_array(%s)', (
    select string_agg(
      format('k.%I::%s', k.name, millrace.column_type(v_d.work, k.name)),
      ', ' order by k.position)
    from unnest(v_d.target_key) with ordinality k(name, position)
  ));
  v_head := format(
    E'insert into millrace.partition_key (derivation, partition, key)\n'
    'select distinct %s, %s, %s\n'
    'from (\n',
    v_d.id, v_partition::oid, v_key_json);
  v_tail := format(
    E'\n'
    ') k(%s)\n'
    'where %s\n'
    'on conflict do nothing',
    v_key, millrace.list(v_d.target_key, 'k.%I is not null', ' and '));
  append := concat(
    E'with touched as (\n',
    v_head,
    millrace.mapped_sql(
      v_mapping.query, v_mapping.columns, millrace.qualified_name(v_partition)),
    v_tail,
    E'\nreturning 1\n)\n',
    'select count(*), pg_catalog.pg_current_snapshot() from touched');
  correction := concat(
    v_head,
    millrace.mapped_sql(v_mapping.query, v_mapping.columns, format(
      E'(\nselect %s\nfrom %s\n) changes',
      millrace.list(v_mapping.columns, 'r.%I'), partition_keep_rows_sql.changes)),
    v_tail);

  for v_candidate in
    select millrace.qualified_name(b.partition)
    from millrace.partition_bounds(partition_keep_rows_sql.relation) b
    where not b.is_default and not b.is_pending and b.partition <> v_partition
    order by b.from_time desc
  loop
    execute format('select exists (select from %s)', v_candidate) into v_has_rows;
    if v_has_rows then
      v_newest := v_candidate;
      exit;
    end if;
  end loop;
  if v_newest is not null then
    condition := format(
      E'select format(''the row %%s of %%s has rows in %%s, too'', p.key, %L, %L)\n'
      'from (\n'
      '%s\n'
      ') k(%s)\n'
      'join millrace.partition_key p on p.derivation = %s and p.partition = %s\n'
      '  and p.key = %s\n'
      'limit 1',
      v_d.name,
      v_newest,
      millrace.mapped_sql(v_mapping.query, v_mapping.columns, format(
        '(select * from %s limit 1000) newest', v_newest)),
      v_key,
      v_d.id,
      v_partition::oid,
      v_key_json);
  end if;

  finish := format(
    E'with k as materialized (\n'
    '  select %1$s, exists (select from %2$s d where %3$s) as is_dirty\n'
    '  from (\n'
    '    select %4$s\n'
    '    from millrace.partition_key p\n'
    '    where p.derivation = %5$s and p.partition = %6$s\n'
    '  ) k\n'
    ')\n'
    'insert into %7$s (%8$s)\n'
    'select %9$s\n'
    'from k\n'
    'join %10$s t on %11$s\n'
    'where not k.is_dirty\n'
    'union all\n'
    '(%12$s)\n'
    'on conflict do nothing',
    millrace.list(v_d.target_key, 'k.%I'),
    v_names.dirty,
    millrace.list(v_d.target_key, 'd.%1$I = k.%1$I', ' and '),
    millrace.json_key_sql(v_d, 'p.key'),
    v_d.id,
    v_partition::oid,
    v_kept,
    millrace.list(v_d.columns),
    millrace.list(v_d.columns, 't.%I'),
    millrace.qualified_name(v_d.target),
    millrace.list(v_d.target_key, 't.%1$I = k.%1$I', ' and '),
    millrace.fresh_sql(v_d, v_names.definition, '(select * from k where k.is_dirty)'));
  return next;
end
$$;

comment on function millrace.partition_keep_rows_sql(
  millrace.derivation, regclass, regclass, text
) is
  'Keeps the rows of a derived relation that rows of a partition touch, as SQL.';
