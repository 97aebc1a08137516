/*
 * Makes the views by which a derived relation is read live. Others may hang on the live view: as
 * long as its columns allow it, it is replaced and not dropped. Views that are as they should be
 * are not touched, because replacing one waits for its readers, and new readers behind it.
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
  v_statements text[];
  v_comment text;
begin
  if v_d.strategy = 'refresh' then
    perform millrace.drop_live(v_d.name);
    return;
  end if;
  v_statements := array[
    format(E'create or replace view %s as\n%s', v_names.dirty, millrace.dirty_sql(v_d)),
    millrace.exact_rows_sql(v_d),
    millrace.live_sql(v_d)];
  v_comment := format('The rows of %s as its definition gives them now. Generated: %s.',
    v_d.name, md5(v_statements::text));
  if to_regclass(v_names.live) is not null
    and obj_description(to_regclass(v_names.exact), 'pg_class') = v_comment
  then
    return;
  end if;
  execute v_statements[1];
  execute format('comment on view %s is %L', v_names.dirty,
    format('Keys of %s whose stored row is not the newest.', v_d.name));
  execute v_statements[2];
  execute format('comment on view %s is %L', v_names.exact, v_comment);
  execute v_statements[3];
end
$$;

comment on function millrace.make_views(millrace.derivation) is
  'Makes the views by which a derived relation is read live.';
