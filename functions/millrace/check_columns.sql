/*
 * Refuses columns that a log cannot hold: names that the log itself uses, types without equality,
 * for which an update cannot tell what changed, and virtual generated columns (Postgres 18), which
 * are null in transition tables. And tables whose owner sees only a part of their rows: a recount
 * would take that part for the truth. Columns that are only compared may have any type.
 */
create or replace function millrace.check_columns(
  relation regclass, columns name[], compared name[] default '{}'
)
  returns void
  language plpgsql
  stable
  set search_path to ''
as $$
declare
  v_column record;
begin
  for v_column in
    select
      a.attrelid::regclass as relation,
      a.attname as name,
      format_type(a.atttypid, null) as type_name,
      a.attname in ('sign', 'recorded_at')
        and a.attname = any (check_columns.columns) as is_reserved,
      a.attgenerated = 'v' as is_virtual,
      c.relforcerowsecurity and not o.rolbypassrls and not o.rolsuper as is_hidden,
      a.attname = any (check_columns.columns)
        and not millrace.has_equality(a.attrelid, a.attname) as is_incomparable
    from pg_catalog.pg_attribute a
    join pg_catalog.pg_class c on c.oid = a.attrelid
    join pg_catalog.pg_roles o on o.oid = millrace.owner()::oid
    where a.attrelid = check_columns.relation
      and a.attname = any (check_columns.columns || check_columns.compared)
  loop
    if v_column.is_reserved then
      raise exception 'The column % of % has a name that the log uses itself',
        v_column.name, v_column.relation using
        errcode = 'MR011',
        detail = 'A log row has the columns sign and recorded_at.',
        hint = 'Rename the column, or add a generated column with another name and use that.';
    end if;
    if v_column.is_virtual then
      raise exception 'The column % of % is generated when it is read',
        v_column.name, v_column.relation using
        errcode = 'MR004',
        detail = 'Postgres gives triggers no value of virtual generated columns.',
        hint = 'Make it a stored generated column, or write its expression.';
    end if;
    if v_column.is_hidden then
      raise exception 'Row level security is forced on %', v_column.relation using
        errcode = 'MR016',
        detail = format('%s, with whose rights the engine counts, may see only a part of the rows.',
          millrace.owner()),
        hint = format('alter table %s no force row level security;', v_column.relation);
    end if;
    if v_column.is_incomparable then
      raise exception 'The column % of % has type %, which has no equality',
        v_column.name, v_column.relation, v_column.type_name using
        errcode = 'MR004',
        detail = 'An update is logged by comparing old and new images.',
        hint = 'Use a type with equality (jsonb instead of json), or add a generated column with '
          'what you need of it.';
    end if;
  end loop;
end
$$;

comment on function millrace.check_columns(regclass, name[], name[]) is
  'Refuses columns that a log cannot hold: MR011 for their name, MR004 for their type, MR016 for '
  'rows that the engine cannot see.';
