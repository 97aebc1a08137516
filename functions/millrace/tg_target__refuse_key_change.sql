/*
 * A target's primary key names its pending deltas, so it never changes.
 */
create or replace function millrace.tg_target__refuse_key_change()
  returns trigger
  language plpgsql
  volatile
  set search_path to ''
as $$
begin
  raise exception 'The primary key of %.% cannot change', tg_table_schema, tg_table_name using
    errcode = 'MR021',
    detail = 'Values derived for this row, and those still pending, are kept by its key.',
    hint = 'Insert a new row and delete the old one, or drop the table''s derivations first.';
end
$$;

comment on function millrace.tg_target__refuse_key_change() is
  'Refuses a change of a target''s primary key: MR021.';
