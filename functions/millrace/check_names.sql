/*
 * Refuses columns that a table or view does not have.
 */
create or replace function millrace.check_names(relation regclass, names text[])
  returns void
  language plpgsql
  stable
  set search_path to ''
as $$
declare
  v_name text;
begin
  foreach v_name in array check_names.names loop
    if v_name is null or millrace.column_type(check_names.relation, v_name) is null then
      raise exception '% has no column %', check_names.relation, coalesce(v_name, 'null') using
        errcode = 'MR002',
        detail = format('Its columns: %s.', (
          select string_agg(a.attname, ', ' order by a.attnum)
          from pg_catalog.pg_attribute a
          where a.attrelid = check_names.relation and a.attnum > 0 and not a.attisdropped)),
        hint = 'Write the names as they are stored: lower case unless they were quoted.';
    end if;
  end loop;
end
$$;

comment on function millrace.check_names(regclass, text[]) is
  'Refuses columns that a relation does not have: MR002.';
