/*
 * The live view: the exact rows, under the row level security of the stored table, so that whoever
 * reads it sees the rows that they would see in the table. Where a policy looks into other tables,
 * which have policies too, the view works with its reader's rights; its reader may then read the
 * exact rows, but has no right to the schema in which they are, and cannot name them. Whoever reads
 * it needs the right to read those tables, even where the policy is for other roles.
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
  v_visible constant text := millrace.visible_sql(v_d.target);
begin
  return format(
    E'create or replace view %s%s as\nselect %s\nfrom %s %I%s',
    v_names.live,
    case
      when v_visible is null then ''
      when millrace.policies_read_others(v_d.target)
      then ' with (security_invoker, security_barrier)'
      else ' with (security_barrier)'
    end,
    millrace.list(v_d.columns),
    v_names.exact,
    (select c.relname from pg_catalog.pg_class c where c.oid = v_d.target),
    coalesce(E'\nwhere ' || v_visible, ''));
end
$$;

comment on function millrace.live_sql(millrace.derivation) is
  'The live view of a relation, as SQL.';
