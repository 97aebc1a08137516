/*
 * Makes the views by which a derived relation is read live. Others may hang on the live view: as
 * long as its columns allow it, it is replaced and not dropped.
 */
create or replace function millrace.make_views(derivation millrace.derivation)
  returns void
  language plpgsql
  volatile
  set search_path to ''
  set client_min_messages to warning
as $$
declare
  v_d constant millrace.derivation := make_views.derivation;
  v_names constant record := millrace.relation_names(v_d.name);
begin
  if v_d.strategy = 'refresh' then
    perform millrace.drop_live(v_d.name);
    return;
  end if;
  execute format(E'create or replace view %s as\n%s', v_names.dirty, millrace.dirty_sql(v_d));
  execute format('comment on view %s is %L', v_names.dirty,
    format('Keys of %s whose stored row is not the newest.', v_d.name));
  execute millrace.exact_rows_sql(v_d);
  execute format('comment on view %s is %L', v_names.exact,
    format('The rows of %s as its definition gives them now.', v_d.name));
  execute millrace.live_sql(v_d);
end
$$;

comment on function millrace.make_views(millrace.derivation) is
  'Makes the views by which a derived relation is read live.';
