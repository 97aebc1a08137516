/*
 * Refuses columns that a log cannot hold: names that the log itself uses, types without equality,
 * for which an update cannot tell what changed, and virtual generated columns (Postgres 18), which
 * are null in transition tables. And tables of which the engine sees only a part. Columns that are
 * only compared may have any type.
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
  perform millrace.check_visible(check_columns.relation);
  for v_column in
    select
      a.attrelid::regclass as relation,
      a.attname as name,
      format_type(a.atttypid, null) as type_name,
      a.attname in ('sign', 'recorded_at', 'recorded_in')
        and a.attname = any (check_columns.columns) as is_reserved,
      a.attgenerated = 'v' as is_virtual,
      a.attname = any (check_columns.columns)
        and not millrace.has_equality(a.attrelid, a.attname) as is_incomparable
    from pg_catalog.pg_attribute a
    where a.attrelid = check_columns.relation
      and a.attname = any (check_columns.columns || check_columns.compared)
  loop
    if v_column.is_reserved then
      raise exception 'The column % of % has a name that the log uses itself',
        v_column.name, v_column.relation using
        errcode = 'MR011',
        detail = 'A log row has the columns sign, recorded_at and recorded_in.',
        hint = 'Rename the column, or add a generated column with another name and use that.';
    end if;
    if v_column.is_virtual then
      raise exception 'The column % of % is generated when it is read',
        v_column.name, v_column.relation using
        errcode = 'MR004',
        detail = 'Postgres gives triggers no value of virtual generated columns.',
        hint = 'Make it a stored generated column, or write its expression.';
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
