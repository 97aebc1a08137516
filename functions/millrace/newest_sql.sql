/*
 * Looks a row up by a unique key, as SQL: newest version first.
 *
 * While a snapshot is held open no version of a row can be removed, and a look-up by equality
 * passes all of them, oldest first, before it comes to the one that it sees: a row that drains
 * update ten times a second has thousands after some minutes, and an exact read looks its row up
 * for every pending one. Equal keys lie in an index in the order of their places in the table, and
 * while nothing is removed newer versions go to higher places. So this comes from behind. (Were
 * every column of the key equal to what is looked for, Postgres would see nothing to put in order;
 * where the last is neither above nor below it does. A comparison of whole rows would do too, but
 * before Postgres 18 it reads on after the key to the end of its first column.)
 *
 * What the index lacks of the key is compared behind it, as (...) is true: a plain condition would
 * tell the planner that the values are not null, and so that it may take any index of a log.
 *
 * Where no unique index in ascending order lies within the key, or an operator would have to be
 * looked for outside of pg_catalog, it is an ordinary look-up. key and key_values belong together
 * by position.
 */
create or replace function millrace.newest_sql(
  relation regclass, alias text, key name[], key_values text[], columns name[]
)
  returns text
  language plpgsql
  stable
  set search_path to ''
as $$
declare
  v_alias constant text := quote_ident(newest_sql.alias);
  v_relation constant text := millrace.qualified_name(newest_sql.relation) || ' ' || v_alias;
  v_index constant name[] := (
    select millrace.unique_key(newest_sql.relation, newest_sql.key)
    where not exists (
      select
      from pg_catalog.pg_attribute a
      join pg_catalog.pg_type t on t.oid = a.atttypid
      where a.attrelid = newest_sql.relation and a.attname = any (newest_sql.key)
        and t.typnamespace <> 'pg_catalog'::regnamespace
    )
  );
  v_same_place constant text := (
    select string_agg(
      format(
        case when i.position = cardinality(v_index) then '%1$s <= %2$s and %1$s >= %2$s'
          else '%s = %s' end,
        format('%s.%I', v_alias, i.name), k.value), ' and ' order by i.position)
    from unnest(v_index) with ordinality i(name, position)
    join unnest(newest_sql.key, newest_sql.key_values) k(name, value) on k.name = i.name
  );
  -- the columns of the key that the index lacks
  v_rest constant name[] := array(
    select k.name from unnest(newest_sql.key) k(name) where k.name <> all (v_index)
  );
  v_same_key constant text := (
    select string_agg(format('%s.%I = %s', v_alias, k.name, k.value), ' and ' order by k.position)
    from unnest(newest_sql.key, newest_sql.key_values) with ordinality k(name, value, position)
    where v_index is null or k.name = any (v_rest)
  );
  v_newest text;
begin
  if v_index is null then
    return format('select %s from %s where %s offset 0',
      millrace.list(newest_sql.columns, v_alias || '.%I'), v_relation, v_same_key);
  end if;
  v_newest := format(
    E'select %s\n'
    'from %s\n'
    'where %s\n'
    'order by %s\n'
    'limit 1',
    millrace.list(
      array(select unnest(newest_sql.columns) union select unnest(v_rest) order by 1),
      v_alias || '.%I'),
    v_relation,
    v_same_place,
    millrace.list(v_index, v_alias || '.%I desc'));
  if cardinality(v_rest) = 0 then
    return v_newest;
  end if;
  return format(
    E'select %s\n'
    'from (\n'
    '%s\n'
    ') %s\n'
    'where (%s) is true',
    millrace.list(newest_sql.columns, v_alias || '.%I'),
    v_newest,
    v_alias,
    v_same_key);
end
$$;

comment on function millrace.newest_sql(regclass, text, name[], text[], name[]) is
  'A look-up by a unique key that comes to the newest version of a row first, as SQL.';
