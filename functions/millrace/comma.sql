/*
 * Puts something in front of a column list that may be empty.
 */
create or replace function millrace.comma(first text, list text)
  returns text
  language sql
  immutable
  set search_path to ''
return concat_ws(', ', comma.first, nullif(comma.list, ''));

comment on function millrace.comma(text, text) is
  'An expression and a list, which may be empty, with a comma between.';
