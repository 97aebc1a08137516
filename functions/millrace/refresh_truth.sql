/*
 * Generates the truth of one derivation: what a recount of its tables gives for each key, and for a
 * distinct counter for each key and member. Read by reconcile and backfill, and by exact reads
 * where the stored value is not kept up.
 *
 * To the truth belongs what is kept of rows that were removed with their partition and are to count
 * for ever.
 */
create or replace function millrace.refresh_truth(derivation millrace.derivation)
  returns void
  language plpgsql
  volatile
  set search_path to ''
  set client_min_messages to warning
as $$
declare
  v_d constant millrace.derivation := refresh_truth.derivation;
  v_names constant record := millrace.generated(v_d);
  v_key constant text := millrace.list(v_d.target_key);
  v_members constant text := millrace.list(v_d.target_key || millrace.member_names(v_d));
  v_column constant text := quote_ident(v_d.target_column);
  v_rows text := millrace.rows_sql(array[v_d], format(E'(\n%s\n)',
    millrace.images_sql(
      'truth', v_d.source, v_d.through, v_d.source_columns, v_d.through_columns,
      v_d.source_key, v_d.through_key)));
  v_kept text;
begin
  select millrace.qualified_name(k.kept) into v_kept
    from millrace.partition_kept k where k.name = v_d.name and k.kind = 'counter';
  if v_kept is not null then
    v_rows := format(
      E'select %1$s, %2$s\n'
      'from (\n'
      '%3$s\n'
      ') rows\n'
      'union all\n'
      'select %1$s, n\n'
      'from %4$s',
      v_members, v_column, v_rows, v_kept);
  end if;
  execute format('drop view if exists %s', v_names.truth);
  execute format('drop view if exists %s', v_names.truth_members);
  if v_d.members is null then
    execute format(
      E'create view %1$s as\n'
      'select %2$s, coalesce(sum(%3$s), 0) as value\n'
      'from (\n'
      '%4$s\n'
      ') rows\n'
      'group by %2$s',
      v_names.truth, v_key, v_column, v_rows);
  else
    execute format(
      E'create view %1$s as\n'
      'select %2$s, sum(%3$s) as n\n'
      'from (\n'
      '%4$s\n'
      ') rows\n'
      'group by %2$s\n'
      'having sum(%3$s) <> 0',
      v_names.truth_members, v_members, v_column, v_rows);
    execute format(
      E'create view %1$s as\n'
      'select %2$s, count(*) as value\n'
      'from %3$s\n'
      'group by %2$s',
      v_names.truth, v_key, v_names.truth_members);
  end if;
end
$$;

comment on function millrace.refresh_truth(millrace.derivation) is
  'Generates the views of what a recount gives for a derivation.';
