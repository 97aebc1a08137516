/*
 * Warns of a key whose columns come from rows of several tables. The log of each has the old image
 * of its own row only: where both rows change before one drain, the key that the two old images
 * had together is in neither mapping, and its row stays until a reconcile. Columns of a primary key
 * do not count, because they do not change.
 */
create or replace function millrace.check_key_rows(definition regclass, key text[])
  returns void
  language plpgsql
  stable
  set search_path to ''
as $$
declare
  v_origin record;
begin
  select count(distinct o.relation) as tables,
      string_agg(format('%s of %s', a.attname, o.relation), ', ' order by k.position) as columns
    into v_origin
    from unnest(check_key_rows.key) with ordinality k(name, position)
    join millrace.column_origins(check_key_rows.definition) o on o.name = k.name
    join pg_catalog.pg_attribute a on a.attrelid = o.relation and a.attnum = o.attnum
    where not exists (
      select from pg_catalog.pg_index i
      where i.indrelid = o.relation and i.indisprimary and o.attnum = any (i.indkey)
    );
  if v_origin.tables > 1 then
    raise warning 'The key of % is made of rows of several tables', check_key_rows.definition using
      detail = format('%s: where such rows change both before one drain, the row of the key that '
        'they had stays until a reconcile finds it.', v_origin.columns),
      hint = 'Take all columns of the key that can change from one table.';
  end if;
end
$$;

comment on function millrace.check_key_rows(regclass, text[]) is
  'Warns of a key whose columns are of several tables.';
