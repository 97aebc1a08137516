/*
 * One mapping of a declaration: a column (or an array of columns) of the source that holds the key,
 * or a query over the relation changed, which has the old and new images of the changed rows. What
 * the query needs of them is what Postgres' own parser sees in it: it is made a view over a
 * stand-in for changed, both of which are dropped again. A temporary relation of the caller's that
 * is called so has another name meanwhile.
 */
create or replace function millrace.mapping_query(
  source regclass, declared jsonb, key_names name[], key_types text[],
  out query text, out columns name[], out key_columns name[]
)
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_text constant text := mapping_query.declared #>> '{}';
  v_view regclass;
  v_types text[];
  v_rename text;
  v_cursor refcursor;
  v_own record;
  v_owns text[] := '{}';
begin
  key_columns := case jsonb_typeof(mapping_query.declared)
    when 'array' then array(select jsonb_array_elements_text(mapping_query.declared))::name[]
    when 'string' then array[v_text]::name[]
  end;
  if key_columns is null then
    raise exception 'The mapping of % is neither text nor an array', mapping_query.source using
      errcode = 'MR027',
      detail = format('Found: %s.', mapping_query.declared),
      hint = 'Write a column, an array of columns, a query over changed, or null.';
  end if;
  if jsonb_typeof(mapping_query.declared) = 'string'
    and millrace.column_type(mapping_query.source, key_columns[1]) is null
  then
    key_columns := null;
    query := v_text;
  else
    query := format('select %s from changed', millrace.list(key_columns));
  end if;

  for v_own in
    select c.relname as name, format('%s %s', c.relname, c.oid) as other_name
    from pg_catalog.pg_class c
    where c.relnamespace = pg_my_temp_schema() and c.relname in ('changed', 'declared_mapping')
  loop
    execute format('alter table pg_temp.%I rename to %I', v_own.name, v_own.other_name);
    v_owns := v_owns || format('alter table pg_temp.%I rename to %I', v_own.other_name, v_own.name);
  end loop;
  execute format('create temporary view changed as select %s from %s', (
    select string_agg(quote_ident(a.attname), ', ' order by a.attnum)
    from pg_catalog.pg_attribute a
    where a.attrelid = mapping_query.source and a.attnum > 0 and not a.attisdropped
  ), millrace.qualified_name(mapping_query.source));
  begin
    -- a cursor takes one statement only: whatever else the text holds is refused before it runs
    open v_cursor for execute format(E'select * from (\n%s\n) mapped limit 0', query);
    close v_cursor;
    execute format(
      E'create temporary view declared_mapping as\nselect * from (\n%s\n) mapped', query);
  exception
    when syntax_error_or_access_rule_violation or data_exception or feature_not_supported
  then
    raise exception 'The mapping of % cannot be used: %', mapping_query.source, sqlerrm using
      errcode = 'MR027',
      detail = format('Mapping: %s', v_text),
      hint = format('Name a column of %s, or write a query over changed; qualify all other names '
        'with their schema.', mapping_query.source);
  end;
  v_view := 'pg_temp.declared_mapping'::regclass;
  v_types := array(
    select format_type(a.atttypid, a.atttypmod) from pg_catalog.pg_attribute a
    where a.attrelid = v_view and a.attnum > 0 order by a.attnum
  );
  if v_types <> mapping_query.key_types then
    raise exception 'The mapping of % gives %, the key is %', mapping_query.source,
      array_to_string(v_types, ', '), array_to_string(mapping_query.key_types, ', ') using
      errcode = 'MR008',
      detail = format('Key: %s. Mapping: %s',
        array_to_string(mapping_query.key_names, ', '), v_text),
      hint = 'Give the columns of the key, in its order and with its types.';
  end if;
  select coalesce(array_agg(distinct a.attname order by a.attname), '{}') into columns
    from pg_catalog.pg_rewrite r
    join pg_catalog.pg_depend d
      on d.objid = r.oid and d.classid = 'pg_catalog.pg_rewrite'::regclass
      and d.refclassid = 'pg_catalog.pg_class'::regclass
      and d.refobjid = 'pg_temp.changed'::regclass
    join pg_catalog.pg_attribute a
      on a.attrelid = d.refobjid and a.attnum > 0
      and (a.attnum = d.refobjsubid or r.ev_action::text ~ ':varattno 0\M')
    where r.ev_class = v_view;
  if not exists (
    select
    from pg_catalog.pg_rewrite r
    join pg_catalog.pg_depend d
      on d.objid = r.oid and d.classid = 'pg_catalog.pg_rewrite'::regclass
      and d.refclassid = 'pg_catalog.pg_class'::regclass
      and d.refobjid = 'pg_temp.changed'::regclass
    where r.ev_class = v_view
  ) then
    raise exception 'The mapping of % does not read changed', mapping_query.source using
      errcode = 'MR027',
      detail = format('Mapping: %s', v_text),
      hint = 'A query over changed says which keys the changed rows touch.';
  end if;
  drop view pg_temp.declared_mapping;
  drop view pg_temp.changed;
  foreach v_rename in array v_owns loop
    execute v_rename;
  end loop;
end
$$;

comment on function millrace.mapping_query(regclass, jsonb, name[], text[]) is
  'A mapping of a declaration as a query over changed, and the columns that it needs; MR008, '
  'MR027.';
