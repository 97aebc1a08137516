/*
 * One batch of a recompute as one statement, and therefore one snapshot: the marks that it takes
 * are of changes that this snapshot shows, so whatever it does not show yet is marked again, by a
 * mark that it does not take. Marks are append-only; were they rows that a drain updates, this
 * statement would delete marks that are newer than what it read.
 *
 * batch: first ($1 is not looked at; $2: how many keys; $3: whether all that waits is taken, due or
 * not), next (the same after the key in $1, as text) or listed ($1: keys as a jsonb array of
 * arrays). One text for first and next with "$1 is null or" could not begin at that key in the
 * index, and went through all entries of marks that are taken but still visible to somebody: those
 * of the batches before in a caller of run_now (650,000 keys: 406 s instead of 10 s), or of the
 * whole minute while a snapshot is held that long.
 */
create or replace function millrace.recompute_sql(
  derivation millrace.derivation, batch text default 'first'
)
  returns text
  language plpgsql
  stable
  set search_path to ''
as $$
declare
  v_d constant millrace.derivation := recompute_sql.derivation;
  v_names constant record := millrace.relation_names(v_d.name);
  v_key constant text := millrace.list(v_d.target_key);
  v_batch text;
begin
  if recompute_sql.batch = 'listed' then
    v_batch := format(
      E'  select %2$s, array(select w.ctid from %3$s w where %4$s) as marks\n'
      '  from (select distinct %1$s from jsonb_array_elements($1) e) k\n',
      millrace.json_key_sql(v_d, 'e'),
      millrace.list(v_d.target_key, 'k.%I'),
      millrace.qualified_name(v_d.work),
      millrace.list(v_d.target_key, 'w.%1$I = k.%1$I', ' and '));
  else
    v_batch := format(
      E'  select %1$s, array_agg(w.ctid) as marks\n'
      '  from %2$s w\n'
      '%3$s'
      '  group by %1$s\n'
      '  having $3 or (\n'
      '    millrace.is_due(min(first_at), max(marked_at), %4$L, %5$L)\n'
      '    and not exists (\n'
      '      select from millrace.failed_key f\n'
      '      where f.derivation = %6$s and f.key = jsonb_build_array(%1$s)\n'
      '        and clock_timestamp()\n'
      '          < millrace.tried_again_at(f.last_error_at, f.retry_at, max(w.marked_at))\n'
      '    )\n'
      '  )\n'
      '  order by %1$s\n'
      '  limit $2\n',
      v_key,
      millrace.qualified_name(v_d.work),
      case when recompute_sql.batch = 'next' then
        format(E'  where (%s) > (%s)\n', v_key, millrace.text_key_sql(v_d, '$1'))
      else '' end,
      v_d.debounce,
      v_d.max_wait,
      v_d.id);
  end if;
  return format(
    E'with batch as materialized (\n'
    '%1$s'
    '),\n'
    'taken as (\n'
    '  delete from %2$s where ctid = any (array(select unnest(marks) from batch)) returning 1\n'
    '),\n'
    'fresh as materialized (\n'
    '%3$s\n'
    '),\n'
    '%4$s\n'
    'select\n'
    '  (select count(*) from batch) as keys,\n'
    '  (select count(*) from taken) as marks,\n'
    '  (select array[%5$s] from batch order by %6$s limit 1) as last_key,\n'
    '  (\n'
    '    select coalesce(jsonb_agg(c.key), ''[]'')\n'
    '    from (\n'
    '      select jsonb_build_array(%7$s) as key from removed\n'
    '      union all\n'
    '      select jsonb_build_array(%7$s) from written\n'
    '      limit 1000\n'
    '    ) c\n'
    '  ) as changed',
    v_batch,
    millrace.qualified_name(v_d.work),
    millrace.fresh_sql(v_d, v_names.definition, 'batch', true),
    millrace.write_sql(v_d),
    millrace.list(v_d.target_key, '%I::text'),
    millrace.list(v_d.target_key, '%I desc'),
    v_key);
end
$$;

comment on function millrace.recompute_sql(millrace.derivation, text) is
  'The statement that recomputes a batch of keys of a derived relation.';
