/*
 * What the rows of a partition contribute to a counter, added to what is kept of the partitions
 * before it: as partition_removal_sql, append and correction.
 *
 * The stored value is not touched, and nothing is logged: as the rows vanish, their contribution
 * moves from what a recount finds to what is kept, in one transaction. That needs that the
 * contribution is the rows' alone: with a through table it would change with a row of that table
 * which stays.
 */
create or replace function millrace.partition_keep_counts_sql(
  derivation millrace.derivation, partition regclass, changes text
)
  returns table (append text, correction text)
  language plpgsql
  stable
  set search_path to ''
as $$
declare
  v_d constant millrace.derivation := partition_keep_counts_sql.derivation;
  v_key constant text := millrace.list(v_d.target_key || millrace.member_names(v_d));
  v_kept text;
  v_head text;
  v_tail text;
begin
  select millrace.qualified_name(k.kept) into v_kept
    from millrace.partition_kept k where k.name = v_d.name;
  v_head := format(
    E'insert into %1$s as k (%2$s, n)\n'
    '  select %2$s, sum(%3$I)\n'
    '  from (\n',
    v_kept, v_key, v_d.target_column);
  v_tail := format(
    E'\n'
    '  ) rows\n'
    '  group by %1$s\n'
    '  having sum(%2$I) <> 0\n'
    '  on conflict (%1$s) do update set n = k.n + excluded.n',
    v_key, v_d.target_column);
  append := concat(
    E'with kept as (\n  ',
    v_head,
    millrace.rows_sql(array[v_d], format(E'(\n%s\n)', millrace.images_sql(
      'truth', partition_keep_counts_sql.partition, null, v_d.source_columns, null, null, null))),
    v_tail,
    E'\n  returning 1\n)\n',
    'select count(*), pg_catalog.pg_current_snapshot() from kept');
  correction := concat(
    v_head,
    millrace.rows_sql(array[v_d], format(
      E'(\n'
      'select c.sign as "image.weight", %s\n'
      'from %s\n'
      ')',
      (
        select string_agg(
          format('r.%I as %I', c.name, millrace.image_column('source', c.name)), ', ')
        from unnest(v_d.source_columns) c(name)
      ),
      partition_keep_counts_sql.changes)),
    v_tail);
  return next;
end
$$;

comment on function millrace.partition_keep_counts_sql(millrace.derivation, regclass, text) is
  'Adds what the rows of a partition contribute to what a counter keeps, as SQL.';
