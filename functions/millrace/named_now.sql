/*
 * The name under which a declaration knows a table: as it was written, while that still means the
 * same table, otherwise as the table is called now.
 */
create or replace function millrace.named_now(written text, relation regclass)
  returns text
  language sql
  stable
  set search_path to ''
return case
  when to_regclass(named_now.written) = named_now.relation then named_now.written
  else millrace.qualified_name(named_now.relation)
end;

comment on function millrace.named_now(text, regclass) is
  'A table by the name it was declared under, or by its present one.';
