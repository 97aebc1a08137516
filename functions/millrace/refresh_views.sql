/*
 * Generates the views of one derivation, all from the delta rule of rows_sql: what is pending for
 * each key (read by the exact read, per key) and the truth (refresh_truth; read by reconcile). They
 * also make Postgres refuse to drop a column that the derivation needs. A distinct counter has a
 * reference count for each key and member, in a table that only the engine writes.
 */
create or replace function millrace.refresh_views(derivation millrace.derivation)
  returns void
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_d constant millrace.derivation := refresh_views.derivation;
  v_names constant record := millrace.generated(v_d);
  v_key constant text := millrace.list(v_d.target_key);
  v_members constant name[] := millrace.member_names(v_d);
  v_member_list constant text := millrace.list(v_members);
  v_column constant text := quote_ident(v_d.target_column);
  v_pending constant text := millrace.rows_sql(array[v_d], format(E'(\n%s\n)',
    millrace.images_sql(
      'pending', v_d.source, v_d.through, v_d.source_columns, v_d.through_columns,
      v_d.source_key, v_d.through_key)));
begin
  perform millrace.drop_views(v_d);
  perform millrace.refresh_truth(v_d);
  if v_d.members is null then
    execute format(
      E'create view %1$s as\n'
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
      v_names.pending, v_key, v_column, v_pending, v_names.carry, v_d.target_column);
  else
    execute format(
      E'create view %1$s as\n'
      'select %2$s, %3$s, sum(%4$s) as n\n'
      'from (\n'
      '%5$s\n'
      ') rows\n'
      'group by %2$s, %3$s\n'
      'having sum(%4$s) <> 0',
      v_names.pending_members, v_key, v_member_list, v_column, v_pending);
    execute format(E'create table %s as select %s, %s, n::bigint as n from %s with no data',
      v_names.members, v_key, v_member_list, v_names.truth_members);
    execute format('alter table %s add primary key (%s, %s)',
      v_names.members, v_key, v_member_list);
    execute format('comment on table %s is %L', v_names.members,
      format('How many rows of the source name a member, for %s; written by the engine only.',
        v_d.name));
    execute format(
      E'create view %1$s as\n'
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
      v_d.target_column);
  end if;
end
$$;

comment on function millrace.refresh_views(millrace.derivation) is
  'Generates the views, and for a distinct counter the members table, of a derivation.';
