/*
 * The end of a rebuild, when the rows are there: the new definition and, where it was filled beside
 * the old one, the new relation take their place; columns that are no more are dropped. The caller
 * holds the relation's lock and the engine's. What readers hold is asked for in short attempts.
 */
create or replace function millrace.finish_rebuild(
  derivation millrace.derivation, in_place boolean
)
  returns millrace.derivation
  language plpgsql
  volatile
  set search_path to ''
  set client_min_messages to warning
as $$
declare
  v_d millrace.derivation := finish_rebuild.derivation;
  v_names constant record := millrace.relation_names(v_d.name);
  v_dropped constant name[] := array(
    select a.attname from pg_catalog.pg_attribute a
    where a.attrelid = v_d.target and a.attnum > 0 and not a.attisdropped
      and a.attname <> all (v_d.columns) and finish_rebuild.in_place
    order by a.attnum
  );
  v_column name;
begin
  if to_regclass(v_names.next_definition) is null and v_dropped = '{}' then
    return v_d;
  end if;
  perform millrace.lock_tables(
    '{}',
    case when finish_rebuild.in_place and v_dropped = '{}' then '{}' else array[v_d.target] end,
    millrace.live_views(v_d.name) || to_regclass(v_names.definition));
  foreach v_column in array v_dropped loop
    execute format('alter table %s drop column %I', millrace.qualified_name(v_d.target), v_column);
  end loop;
  if to_regclass(v_names.next_definition) is not null then
    perform millrace.swap_definition(v_d);
  end if;
  if not finish_rebuild.in_place then
    v_d := millrace.swap_relation(v_d);
  end if;
  return v_d;
end
$$;

comment on function millrace.finish_rebuild(millrace.derivation, boolean) is
  'Puts what a rebuild has made in the place of the old; returns the derivation with its target.';
