/*
 * The column of an image that holds a column of the source or of the through table:
 * "source.<column>", "via.<column>", cut and made unique by a hash where that is over Postgres' 63
 * bytes. The dot keeps it apart from every column that a filter may name without saying source or
 * via.
 */
create or replace function millrace.image_column(side text, column_name name)
  returns name
  language sql
  immutable
  set search_path to ''
return case
  when octet_length(image_column.side || '.' || image_column.column_name) <= 63
    then image_column.side || '.' || image_column.column_name
  else concat(left(image_column.side || '.' || image_column.column_name, 40), '_',
    left(md5(image_column.column_name), 12))
end;

comment on function millrace.image_column(text, name) is
  'The column of an image for a column of source or via.';
