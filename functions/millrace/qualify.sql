/*
 * Says where a key column comes from. A bare name is a column of the source if it has one of that
 * name, otherwise of the through table; source.<column> and via.<column> say it outright.
 */
create or replace function millrace.qualify(column_name text, source regclass, through regclass)
  returns text
  language plpgsql
  stable
  set search_path to ''
as $$
declare
  v_bare constant text := regexp_replace(qualify.column_name, '^(source|via)\.', '');
  v_sides constant text[] := case
    when qualify.column_name like 'source.%' then '{source}'
    when qualify.column_name like 'via.%' then '{via}'
    else '{source,via}'
  end;
  v_side text;
begin
  foreach v_side in array v_sides loop
    if exists (
      select from pg_catalog.pg_attribute a
      where a.attrelid = case v_side when 'source' then qualify.source else qualify.through end
        and a.attname = v_bare and a.attnum > 0 and not a.attisdropped
    ) then
      return v_side || '.' || v_bare;
    end if;
  end loop;
  raise exception '% has no column %', qualify.source, qualify.column_name using
    errcode = 'MR002',
    detail = format('Looked in %s.', concat_ws(' and ', qualify.source, qualify.through)),
    hint = 'Name a column of the source, or of the table named by through.';
end
$$;

comment on function millrace.qualify(text, regclass, regclass) is
  'source.<column> or via.<column> for a column of a declaration; MR002 if neither has it.';
