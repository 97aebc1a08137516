/*
 * The live view: the stored rows, except those whose key is dirty, which the definition gives; all
 * of them in one snapshot, so a read by key is exact whatever waits. While the stored rows are not
 * kept (first population, rebuild, pause, failure) the definition gives everything.
 *
 * Row level security of the stored table is part of the view: whoever reads it sees the rows that
 * they would see in the table.
 */
create or replace function millrace.live_sql(derivation millrace.derivation)
  returns text
  language plpgsql
  stable
  set search_path to ''
as $$
declare
  v_d constant millrace.derivation := live_sql.derivation;
  v_names constant record := millrace.relation_names(v_d.name);
  v_kept constant text := format(
    '(select d.kept from millrace.derivation d where d.id = %s)', v_d.id);
  v_visible constant text := millrace.visible_sql(v_d.target);
  v_columns constant text := millrace.list(v_d.columns);
  v_same_key constant text := millrace.list(v_d.target_key, 'd.%1$I = t.%1$I', ' and ');
begin
  return format(
    E'create or replace view %1$s%2$s as\n'
    'select %3$s\n'
    'from (\n'
    'select %4$s\n'
    'from %5$s t\n'
    'where %6$s and not exists (select from %7$s d where %8$s)\n'
    'union all\n'
    '%9$s\n'
    'where %6$s\n'
    'union all\n'
    'select %10$s\n'
    'from %11$s f\n'
    'where not %6$s\n'
    ') %12$I%13$s',
    v_names.live,
    case when v_visible is not null then ' with (security_barrier)' else '' end,
    v_columns,
    millrace.list(v_d.columns, 't.%I'),
    millrace.qualified_name(v_d.target),
    v_kept,
    v_names.dirty,
    v_same_key,
    millrace.fresh_sql(v_d, v_names.definition, format('(select distinct %s from %s)',
      millrace.list(v_d.target_key), v_names.dirty)),
    millrace.list(v_d.columns, 'f.%I'),
    v_names.definition,
    (select c.relname from pg_catalog.pg_class c where c.oid = v_d.target),
    coalesce(E'\nwhere ' || v_visible, ''));
end
$$;

comment on function millrace.live_sql(millrace.derivation) is
  'The live view of a relation, as SQL.';
