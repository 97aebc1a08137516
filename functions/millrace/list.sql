/*
 * Puts a column list into generated SQL: every column through one format pattern, where %1$I is the
 * column and %2$s its number.
 */
create or replace function millrace.list(
  columns name[], pattern text default '%I', separator text default ', '
)
  returns text
  language sql
  immutable
  set search_path to ''
return (
  select coalesce(
    string_agg(format(list.pattern, c.name, c.position), list.separator order by c.position),
    ''
  )
  from unnest(list.columns) with ordinality c(name, position)
);

comment on function millrace.list(name[], text, text) is 'A column list for generated SQL.';
