/*
 * Adds the columns that a changed definition has and the stored relation has not. The job does it
 * in a transaction of its own, before it fills them: readers would wait for the lock that this
 * takes until all rows are written. Till then the new columns are null.
 */
create or replace function millrace.add_columns(id bigint)
  returns void
  language plpgsql
  volatile
  security definer
  set search_path to pg_catalog, pg_temp
as $$
declare
  v_d millrace.derivation;
  v_definition regclass;
  v_column record;
begin
  select d.* into v_d from millrace.derivation d
    where d.id = add_columns.id and d.state = 'backfilling' and d.strategy = 'incremental';
  if not found then
    return;
  end if;
  v_definition := to_regclass((millrace.relation_names(v_d.name)).next_definition);
  if v_definition is null or not millrace.fits(v_d, v_definition) then
    return;
  end if;
  for v_column in
    select c.name, millrace.column_definition(v_definition, c.name) as definition
    from unnest(v_d.columns) with ordinality c(name, position)
    where millrace.column_type(v_d.target, c.name) is null
    order by c.position
  loop
    perform millrace.lock_tables('{}', array[v_d.target]);
    execute format('alter table %s add column %I %s',
      millrace.qualified_name(v_d.target), v_column.name, v_column.definition);
  end loop;
end
$$;

comment on function millrace.add_columns(bigint) is
  'Adds the columns to a derived relation that its changed definition has.';
