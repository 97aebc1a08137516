/*
 * Generates the views of what is pending for one derivation, from the delta rule of rows_sql: for
 * each key, and for a distinct counter for each key and member. Read by the exact read, by key.
 *
 * Also when a declaration is repeated, because a new version of the engine may make other views.
 * Those that are as they should be are not touched: replacing one waits for its readers. Columns
 * and their types follow from the declaration, so a view can always be replaced while it is read.
 */
create or replace function millrace.refresh_pending(derivation millrace.derivation)
  returns void
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_d constant millrace.derivation := refresh_pending.derivation;
  v_names constant record := millrace.generated(v_d);
  v_key constant text := millrace.list(v_d.target_key);
  v_members constant name[] := millrace.member_names(v_d);
  v_column constant text := quote_ident(v_d.target_column);
  v_pending constant text := millrace.rows_sql(array[v_d], format(E'(\n%s\n)',
    millrace.images_sql(
      'pending', v_d.source, v_d.through, v_d.source_columns, v_d.through_columns,
      v_d.source_key, v_d.through_key)));
  v_statements text[];
  v_comment text;
begin
  if v_d.members is null then
    v_statements := array[format(
      E'create or replace view %1$s as\n'
      'with %7$s\n'
      'select %2$s, sum(delta) as delta\n'
      'from (\n'
      'select %2$s, %3$s as delta\n'
      'from (\n'
      '%4$s\n'
      ') rows\n'
      'union all\n'
      'select %2$s, delta\n'
      'from %5$s\n'
      'where column_name = %6$L\n'
      ') pending\n'
      'group by %2$s',
      v_names.pending, v_key, v_column, v_pending, v_names.carry, v_d.target_column,
      millrace.undrained_sql())];
  else
    v_statements := array[
      format(
        E'create or replace view %1$s as\n'
        'with %6$s\n'
        'select %2$s, %3$s, sum(%4$s) as n\n'
        'from (\n'
        '%5$s\n'
        ') rows\n'
        'group by %2$s, %3$s\n'
        'having sum(%4$s) <> 0',
        v_names.pending_members, v_key, millrace.list(v_members), v_column, v_pending,
        millrace.undrained_sql()),
      format(
        E'create or replace view %1$s as\n'
        'select %2$s, sum(delta) as delta\n'
        'from (\n'
        'select %3$s,\n'
        '  ((coalesce(m.n, 0) + p.n > 0)::integer\n'
        '    - (coalesce(m.n, 0) > 0)::integer)::numeric as delta\n'
        'from %4$s p\n'
        'left join lateral (select m.n from %5$s m where %6$s offset 0) m on true\n'
        'union all\n'
        'select %2$s, delta\n'
        'from %7$s\n'
        'where column_name = %8$L\n'
        ') pending\n'
        'group by %2$s',
        v_names.pending,
        v_key,
        millrace.list(v_d.target_key, 'p.%I'),
        v_names.pending_members,
        v_names.members,
        millrace.list(v_d.target_key || v_members, 'm.%1$I = p.%1$I', ' and '),
        v_names.carry,
        v_d.target_column)];
  end if;
  v_comment := format('What is pending for %s, by key. Generated: %s.',
    v_d.name, md5(v_statements::text));
  if obj_description(to_regclass(v_names.pending), 'pg_class') = v_comment then
    return;
  end if;
  execute array_to_string(v_statements, E';\n');
  execute format('comment on view %s is %L', v_names.pending, v_comment);
end
$$;

comment on function millrace.refresh_pending(millrace.derivation) is
  'Generates the views of what is pending for a derivation.';
