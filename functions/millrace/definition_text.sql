/*
 * The text of a derived relation's definition as the engine copies it: what the definition says,
 * and the rows that are kept of partitions that were removed. Those stand for ever: their keys are
 * not asked of the definition any more. Because the copy says so, everything that reads it agrees:
 * recomputes, live reads, rebuilds, reconcile.
 *
 * Columns that the definition has got since are null in what was kept before; the table of what is
 * kept gets them here, to keep them from now on.
 */
create or replace function millrace.definition_text(name text, definition regclass)
  returns text
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_text constant text := rtrim(pg_get_viewdef(definition_text.definition), ';');
  v_kept millrace.partition_kept;
  v_column record;
begin
  select k.* into v_kept
    from millrace.partition_kept k where k.name = definition_text.name and k.kind = 'materialize';
  if not found then
    return v_text;
  end if;
  for v_column in
    select a.attname, format_type(a.atttypid, a.atttypmod) as type
    from pg_catalog.pg_attribute a
    where a.attrelid = definition_text.definition and a.attnum > 0
      and millrace.column_type(v_kept.kept, a.attname) is null
    order by a.attnum
  loop
    execute format('alter table %s add column %I %s',
      millrace.qualified_name(v_kept.kept), v_column.attname, v_column.type);
  end loop;
  return (
    select format(
      E'select %1$s\n'
      'from (\n'
      '%2$s\n'
      ') fresh\n'
      'where not exists (select from %3$s kept where %4$s)\n'
      'union all\n'
      'select %5$s\n'
      'from %3$s kept',
      string_agg(format('fresh.%I', a.attname), ', ' order by a.attnum),
      v_text,
      millrace.qualified_name(v_kept.kept),
      (
        select string_agg(format('kept.%1$I = fresh.%1$I', k.name), ' and ')
        from jsonb_array_elements_text(v_kept.arguments -> 'key') k(name)
      ),
      string_agg(
        case
          when millrace.column_type(v_kept.kept, a.attname) = t.type
            then format('kept.%I', a.attname)
          else format('null::%s', t.type)
        end, ', ' order by a.attnum))
    from pg_catalog.pg_attribute a
    cross join lateral (select format_type(a.atttypid, a.atttypmod) as type) t
    where a.attrelid = definition_text.definition and a.attnum > 0
  );
end
$$;

comment on function millrace.definition_text(text, regclass) is
  'The definition of a derived relation with the rows that are kept of removed partitions.';
