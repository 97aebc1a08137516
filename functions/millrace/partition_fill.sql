/*
 * Moves the rows of a range from the default partition into the table that is about to be attached
 * for it: one statement, so a row is in one of them and never in both or in neither. The caller
 * holds the default partition's access exclusive lock until everything is committed: who inserts
 * meanwhile waits, and finds the new partition.
 *
 * No row is deleted, rows change their place: so the default partition's triggers are switched off
 * for the statement, each back to what it was.
 */
create or replace function millrace.partition_fill(
  default_partition regclass, partition regclass, condition text
)
  returns bigint
  language plpgsql
  volatile
  set search_path to ''
  set row_security to off
as $$
declare
  v_default constant text := millrace.qualified_name(partition_fill.default_partition);
  v_columns constant text := (
    select string_agg(quote_ident(a.attname), ', ' order by a.attnum)
    from pg_catalog.pg_attribute a
    where a.attrelid = partition_fill.partition
      and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
  );
  v_foreign_key text;
  v_off text[];
  v_on text[];
  v_statement text;
  v_rows bigint;
begin
  select string_agg(format('%I of %s', k.conname, millrace.qualified_name(k.conrelid)), ', ')
    into v_foreign_key
    from pg_catalog.pg_constraint k
    where k.contype = 'f' and k.confrelid = partition_fill.default_partition;
  if v_foreign_key is not null then
    raise exception 'Rows of % cannot be moved: foreign keys refer to them', v_default using
      errcode = 'MR047',
      detail = format('Moving them would delete what refers to them, or be refused: %s.',
        v_foreign_key),
      hint = 'Drop the foreign keys, move the rows, and add the foreign keys again.';
  end if;
  select
      coalesce(array_agg(format('disable trigger %I', t.tgname) order by t.tgname), '{}'),
      coalesce(array_agg(format('enable %s trigger %I',
        case t.tgenabled when 'A' then 'always' when 'R' then 'replica' end,
        t.tgname) order by t.tgname), '{}')
    into v_off, v_on
    from pg_catalog.pg_trigger t
    where t.tgrelid = partition_fill.default_partition and t.tgconstraint = 0
      and t.tgenabled <> 'D';
  foreach v_statement in array v_off loop
    execute format('alter table %s %s', v_default, v_statement);
  end loop;
  execute format(
    E'with moved as (\n'
    '  delete from %1$s where %2$s returning %3$s\n'
    ')\n'
    'insert into %4$s (%3$s) select %3$s from moved',
    v_default, partition_fill.condition, v_columns,
    millrace.qualified_name(partition_fill.partition));
  get diagnostics v_rows = row_count;
  foreach v_statement in array v_on loop
    execute format('alter table %s %s', v_default, v_statement);
  end loop;
  return v_rows;
end
$$;

comment on function millrace.partition_fill(regclass, regclass, text) is
  'Moves rows of the default partition into a table that is about to be attached; how many.';
