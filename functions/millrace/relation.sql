/*
 * Resolves the name of an ordinary or partitioned table, so that a misspelt declaration fails with
 * the engine's own code and a hint instead of a bare 42P01.
 */
create or replace function millrace.relation(name text)
  returns regclass
  language plpgsql
  stable
  set search_path to ''
as $$
declare
  v_relation regclass := millrace.named(relation.name);
begin
  if v_relation is null then
    raise exception 'There is no table %', coalesce(relation.name, 'null') using
      errcode = 'MR001',
      detail = 'A declaration names tables with their schema.',
      hint = 'Create the table first, or correct the name: schema.table.';
  end if;
  if (select c.relkind not in ('r', 'p') or c.relpersistence = 't'
      from pg_catalog.pg_class c where c.oid = v_relation) then
    raise exception '% is not an ordinary or partitioned table', v_relation using
      errcode = 'MR001',
      detail = 'Changes can only be logged where statement triggers with transition tables fire.',
      hint = 'Name the table itself, not a view, a foreign or a temporary table.';
  end if;
  return v_relation;
end
$$;

comment on function millrace.relation(text) is 'The table of that name; MR001 if there is none.';
