/*
 * Ends a derivation: triggers, log, views and exact read go, the target column stays with its last
 * value.
 */
create or replace function millrace.drop(name text)
  returns void
  language plpgsql
  volatile
  set search_path to ''
  set client_min_messages to warning
as $$
declare
  v_d millrace.derivation;
  v_column text;
begin
  perform millrace.lock_engine();
  v_d := millrace.derivation_named("drop".name);
  execute 'lock table '
    || concat_ws(', ',
      millrace.qualified_name(v_d.source),
      millrace.qualified_name(v_d.through),
      millrace.qualified_name(v_d.target))
    || ' in share row exclusive mode';
  execute format('drop function if exists %s(%s)',
    (millrace.generated(v_d)).exact, millrace.qualified_name(v_d.target));
  perform millrace.drop_views(v_d);
  execute format('delete from %s where column_name = $1', (millrace.generated(v_d)).carry)
    using v_d.target_column;
  delete from millrace.derivation d where d.name = v_d.name;
  -- the column's comment without the smart tag that hid the stored value
  execute format('comment on column %s.%I is %L',
    millrace.qualified_name(v_d.target),
    v_d.target_column,
    nullif(regexp_replace(
      coalesce(col_description(v_d.target, (
        select a.attnum from pg_catalog.pg_attribute a
        where a.attrelid = v_d.target and a.attname = v_d.target_column)), ''),
      '^@behavior -attribute:select\n?', ''), ''));
  perform millrace.refresh_pending_logs();
  perform millrace.refresh_log(r.relation)
    from (select distinct u.relation from unnest(array[v_d.source, v_d.through]) u(relation)) r
    where r.relation is not null;
  perform millrace.refresh_target(v_d.target);
  delete from millrace.stem s
    where not exists (
      select from millrace.derivation d where s.relation in (d.target, d.source, d.through)
    );
end
$$;

comment on function millrace.drop(text) is
  'Ends a derivation; its column keeps the last stored value. MR012 for an unknown name.';
