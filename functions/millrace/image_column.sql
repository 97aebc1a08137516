/*
 * The column of an image that holds a column of the source or of the through table:
 * "source.<column>", "via.<column>". The dot keeps it apart from every column that a filter may
 * name without saying source or via.
 */
create or replace function millrace.image_column(side text, column_name name)
  returns name
  language sql
  immutable
  set search_path to ''
return millrace.fitting_name(image_column.side || '.' || image_column.column_name);

comment on function millrace.image_column(text, name) is
  'The column of an image for a column of source or via.';
