/*
 * A JSON array of strings as text[], null and JSON null as null: arguments of declarations are kept
 * as JSON.
 */
create or replace function millrace.text_array(list jsonb)
  returns text[]
  language sql
  immutable
  set search_path to ''
return case jsonb_typeof(text_array.list)
  when 'array' then array(
    select e.element from jsonb_array_elements_text(text_array.list)
      with ordinality e(element, position)
    order by e.position
  )
end;

comment on function millrace.text_array(jsonb) is 'A JSON array of strings as text[].';
