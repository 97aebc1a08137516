/*
 * A mapping query over changed rows, wherever they are: in a log, or taken from it.
 */
create or replace function millrace.mapped_sql(query text, columns name[], rows text)
  returns text
  language sql
  immutable
  set search_path to ''
return format(
  E'    with changed as (select %s from %s)\n'
  '    select * from (\n'
  '%s\n'
  '    ) mapped',
  millrace.list(mapped_sql.columns), mapped_sql.rows, mapped_sql.query);

comment on function millrace.mapped_sql(text, name[], text) is
  'A mapping query over a relation that holds the changed rows.';
