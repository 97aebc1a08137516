/*
 * Replaces all stored rows that differ from the definition, in one statement. An empty relation is
 * filled directly.
 */
create or replace function millrace.rebuild_sql(derivation millrace.derivation, definition text)
  returns text
  language plpgsql
  stable
  set search_path to ''
as $$
declare
  v_d constant millrace.derivation := rebuild_sql.derivation;
  v_target constant text := millrace.qualified_name(v_d.target);
  v_empty boolean;
begin
  execute format('select not exists (select from %s)', v_target) into v_empty;
  if v_empty then
    return format(
      E'with written as (\n'
      '  insert into %1$s (%2$s)\n'
      '  select %2$s from %3$s\n'
      '  returning 1\n'
      ')\n'
      'select count(*) from written',
      v_target, millrace.list(v_d.columns), rebuild_sql.definition);
  end if;
  return format(
    E'with fresh as materialized (\n'
    '  select %1$s from %2$s\n'
    '),\n'
    'removed as (\n'
    '  delete from %3$s t\n'
    '  where not exists (select from fresh f where %4$s)\n'
    '  returning 1\n'
    '),\n'
    'written as (\n'
    '  insert into %3$s as t (%1$s)\n'
    '  select %5$s\n'
    '  from fresh f\n'
    '  left join %3$s t on %6$s\n'
    '  where %7$s\n'
    '  on conflict (%8$s) do update set %9$s\n'
    '  returning 1\n'
    ')\n'
    'select (select count(*) from removed) + (select count(*) from written)',
    millrace.list(v_d.columns),
    rebuild_sql.definition,
    v_target,
    millrace.list(v_d.target_key, 'f.%1$I = t.%1$I', ' and '),
    millrace.list(v_d.columns, 'f.%I'),
    millrace.list(v_d.target_key, 't.%1$I = f.%1$I', ' and '),
    millrace.differs_sql(v_d),
    millrace.list(v_d.target_key),
    millrace.list(v_d.columns, '%1$I = excluded.%1$I'));
end
$$;

comment on function millrace.rebuild_sql(millrace.derivation, text) is
  'The statement that replaces all stored rows that differ from the definition.';
