/*
 * Ends a derivation: triggers, log, views and exact read go. The column of a counter stays with its
 * last value; a derived relation goes, and with it its _live view, unless others are built on them.
 * With keep_relation it stays, as an ordinary one that nobody keeps fresh.
 */
create or replace function millrace.drop(name text, keep_relation boolean default false)
  returns void
  language plpgsql
  volatile
  set search_path to ''
  set client_min_messages to warning
as $$
declare
  v_d millrace.derivation;
  v_sources regclass[];
  v_detail text;
begin
  v_d := millrace.derivation_named("drop".name);
  if v_d.kind = 'materialize' then
    perform millrace.lock_relation(v_d.id);
  end if;
  perform millrace.lock_engine();
  -- what it is of may be gone already; in a statement of its own, or the next would not see that
  perform millrace.forget_vanished();
  if not exists (select from millrace.derivation d where d.id = v_d.id) then
    perform millrace.give_back();
    return;
  end if;
  v_d := millrace.derivation_named("drop".name);
  v_sources := array(select distinct r.relation from millrace.reading r where r.id = v_d.id);
  if v_d.kind = 'materialize' then
    perform millrace.check_unread(v_d.target);
  end if;
  -- readers of the exact or live read hold the log, and with it the views that are dropped
  perform millrace.lock_tables(v_sources, array(
    select s.relation
    from unnest(v_sources) s(relation)
    where not exists (
      select from millrace.reading r where r.relation = s.relation and r.id <> v_d.id
    )
    union
    select s.log from millrace.source s where s.relation = any (v_sources)
    union
    select v_d.target where v_d.kind = 'counter'
    union
    select v_d.work where v_d.work is not null
    union
    select v_d.target where v_d.kind = 'materialize'
  ), case when v_d.kind = 'materialize' then millrace.live_views(v_d.name) else '{}' end);
  if v_d.kind = 'counter' then
    execute format('drop function if exists %s(%s)',
      (millrace.generated(v_d)).exact, millrace.qualified_name(v_d.target));
    perform millrace.drop_views(v_d);
    execute format('delete from %s where column_name = $1', (millrace.generated(v_d)).carry)
      using v_d.target_column;
    -- the column's comment without the smart tag that hid the stored value
    execute format('comment on column %s.%I is %L',
      millrace.qualified_name(v_d.target),
      v_d.target_column,
      nullif(regexp_replace(
        coalesce(col_description(v_d.target, (
          select a.attnum from pg_catalog.pg_attribute a
          where a.attrelid = v_d.target and a.attname = v_d.target_column)), ''),
        '^@behavior -attribute:select\n?', ''), ''));
  else
    begin
      perform millrace.drop_relation(v_d, "drop".keep_relation);
    exception when dependent_objects_still_exist then
      get stacked diagnostics v_detail = pg_exception_detail;
      raise exception '% cannot go while others are built on it: %', v_d.name, sqlerrm using
        errcode = 'MR031',
        detail = v_detail,
        hint = 'Drop what is built on it first, or keep the relation: millrace.drop(name, true).';
    end;
  end if;
  delete from millrace.derivation d where d.name = v_d.name;
  perform millrace.refresh_pending_logs();
  perform millrace.refresh_log(r.relation)
    from unnest(v_sources) r(relation);
  if v_d.kind = 'counter' then
    perform millrace.refresh_target(v_d.target);
  end if;
  perform millrace.give_back();
  delete from millrace.stem s
    where not exists (select from millrace.derivation d where d.target = s.relation)
      and not exists (select from millrace.source x where x.relation = s.relation);
end
$$;

comment on function millrace.drop(text, boolean) is
  'Ends a derivation; a column keeps its last stored value, a derived relation is dropped unless '
  'keep_relation. MR012 for an unknown name, MR031 for a relation that others read.';
