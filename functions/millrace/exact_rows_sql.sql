/*
 * The exact rows of a derived relation, whatever its state: the stored rows, except those whose key
 * is dirty, which the definition gives; all of them in one snapshot, so a read by key is exact
 * whatever waits. While the stored rows are not kept (first population, rebuild, pause, failure)
 * the definition gives everything. So it does for a snapshot that is older than the tables which
 * the view reads, for it would miss their rows: it finds another edition.
 */
create or replace function millrace.exact_rows_sql(derivation millrace.derivation)
  returns text
  language plpgsql
  stable
  set search_path to ''
as $$
declare
  v_d constant millrace.derivation := exact_rows_sql.derivation;
  v_names constant record := millrace.relation_names(v_d.name);
  v_kept constant text := format(
    '(select d.kept and d.edition = %s from millrace.derivation d where d.id = %s)',
    v_d.edition, v_d.id);
begin
  return format(
    E'create or replace view %1$s as\n'
    'select %2$s\n'
    'from %3$s t\n'
    'where %4$s and not exists (select from %5$s d where %6$s)\n'
    'union all\n'
    '%7$s\n'
    'where %4$s\n'
    'union all\n'
    'select %8$s\n'
    'from %9$s f\n'
    'where not %4$s',
    v_names.exact,
    millrace.list(v_d.columns, 't.%I'),
    millrace.qualified_name(v_d.target),
    v_kept,
    v_names.dirty,
    millrace.list(v_d.target_key, 'd.%1$I = t.%1$I', ' and '),
    millrace.fresh_sql(v_d, v_names.definition, format('(select distinct %s from %s)',
      millrace.list(v_d.target_key), v_names.dirty)),
    millrace.list(v_d.columns, 'f.%I'),
    v_names.definition);
end
$$;

comment on function millrace.exact_rows_sql(millrace.derivation) is
  'The view of the exact rows of a derived relation, as SQL.';
