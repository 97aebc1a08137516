/*
 * The columns of a key that is a JSON array, with their types.
 */
create or replace function millrace.json_key_sql(derivation millrace.derivation, value text)
  returns text
  language sql
  stable
  set search_path to ''
return (
  select string_agg(
    format('(%s ->> %s)::%s as %I', json_key_sql.value, k.position - 1,
      millrace.column_type((json_key_sql.derivation).work, k.name), k.name),
    ', ' order by k.position)
  from unnest((json_key_sql.derivation).target_key) with ordinality k(name, position)
);

comment on function millrace.json_key_sql(millrace.derivation, text) is
  'The columns of a key that is a JSON array, as SQL.';
