/*
 * The columns of a key that is an array of text, with their types.
 */
create or replace function millrace.text_key_sql(derivation millrace.derivation, value text)
  returns text
  language sql
  stable
  set search_path to ''
return (
  select string_agg(
    format('(%s[%s])::%s', text_key_sql.value, k.position,
      millrace.column_type((text_key_sql.derivation).work, k.name)),
    ', ' order by k.position)
  from unnest((text_key_sql.derivation).target_key) with ordinality k(name, position)
);

comment on function millrace.text_key_sql(millrace.derivation, text) is
  'The columns of a key that is an array of text, as SQL.';
