/*
 * Compares stored rows of a derived relation with its definition, in one statement and therefore
 * one snapshot. Keys that wait for the job or whose changes are pending are left out: they are
 * stale, not wrong. Nothing is locked and no writer waits, so no false drift is possible under
 * load.
 *
 * range: keys after $1 up to $2 (as text; null for no bound), the key reaches the indexes below the
 * definition; listed: $1 is a jsonb array of keys. A materialized view is compared as a whole, if
 * no change touches it.
 */
create or replace function millrace.compare_sql(derivation millrace.derivation, batch text)
  returns text
  language plpgsql
  stable
  set search_path to ''
as $$
declare
  v_d constant millrace.derivation := compare_sql.derivation;
  v_names constant record := millrace.relation_names(v_d.name);
  v_target constant text := millrace.qualified_name(v_d.target);
  v_key constant text := millrace.list(v_d.target_key);
  v_rows constant text := millrace.list(v_d.columns, 'x.%I');
  v_range text;
  v_stored text;
  v_fresh text;
  v_dirty text;
begin
  if v_d.strategy = 'refresh' then
    v_stored := format('select * from %s', v_target);
    v_fresh := format('select * from %s', v_names.definition);
    v_dirty := (
      select format('select 1 where exists (select from %s)', millrace.qualified_name(v_d.work))
        || coalesce(string_agg(
          format(' or exists (select from %s)', millrace.qualified_name(s.log)), ''), '')
      from millrace.reading r
      join millrace.source s on s.relation = r.relation
      where r.id = v_d.id
    );
  elsif compare_sql.batch = 'listed' then
    v_stored := format(
      E'select x.*\n'
      '  from (select distinct %s from jsonb_array_elements($1) e) b\n'
      '  cross join lateral (select * from %s x where %s offset 0) x',
      millrace.json_key_sql(v_d, 'e'), v_target,
      millrace.list(v_d.target_key, 'x.%1$I = b.%1$I', ' and '));
    v_fresh := replace(v_stored, v_target || ' x', v_names.definition || ' x');
  else
    v_range := format(
      '($1 is null or (%1$s) > (%2$s)) and ($2 is null or (%1$s) <= (%3$s))',
      v_key, millrace.text_key_sql(v_d, '$1'), millrace.text_key_sql(v_d, '$2'));
    v_stored := format('select * from %s where %s', v_target, v_range);
    v_fresh := format('select * from %s where %s', v_names.definition, v_range);
  end if;
  return format(
    E'with stored as materialized (\n'
    '  %1$s\n'
    '),\n'
    'fresh as materialized (\n'
    '  %2$s\n'
    '),\n'
    'dirty as materialized (\n'
    '  %3$s\n'
    '),\n'
    'pair as (\n'
    '  select jsonb_build_array(%4$s) as key,\n'
    '    to_jsonb(t.*) as stored, to_jsonb(f.*) as fresh,\n'
    '    row(%5$s)::record operator(pg_catalog.*<>) row(%6$s)::record\n'
    '      and not exists (select from dirty d%7$s) as differs\n'
    '  from stored t\n'
    '  full join fresh f on %8$s\n'
    ')\n'
    'select\n'
    '  jsonb_build_object(%9$L, jsonb_build_object(\n'
    '    ''checked'', count(*),\n'
    '    ''drifted'', count(*) filter (where differs),\n'
    '    ''drift'', count(*) filter (where differs),\n'
    '    ''examples'', coalesce(jsonb_path_query_array(jsonb_agg(jsonb_build_object(\n'
    '      ''key'', key, ''stored'', stored, ''truth'', fresh\n'
    '    )) filter (where differs), ''$[0 to 4]''), ''[]''))) as results,\n'
    '  coalesce(jsonb_agg(key) filter (where differs), ''[]'') as keys\n'
    'from pair',
    v_stored,
    v_fresh,
    coalesce(v_dirty, format('select * from %s', v_names.dirty)),
    millrace.list(v_d.target_key, 'coalesce(t.%1$I, f.%1$I)'),
    replace(v_rows, 'x.', 't.'),
    replace(v_rows, 'x.', 'f.'),
    case when v_dirty is null then ' where '
      || millrace.list(v_d.target_key, 'd.%1$I = coalesce(t.%1$I, f.%1$I)', ' and ')
      else '' end,
    millrace.list(v_d.target_key, 't.%1$I = f.%1$I', ' and '),
    v_d.name);
end
$$;

comment on function millrace.compare_sql(millrace.derivation, text) is
  'The statement that compares stored rows of a derived relation with its definition.';
