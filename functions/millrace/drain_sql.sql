/*
 * One drain as one SQL statement, and therefore one snapshot in every isolation level: the log rows
 * that it deletes are exactly those whose deltas it applies, whatever commits meanwhile. (Several
 * statements in read committed would need a repeatable read transaction, which loses its work to a
 * serialization failure whenever an application has updated one of the target rows; this statement
 * continues with the newer row.)
 *
 * Keys that are noted to be counted afresh are handed back when everything was taken that is older
 * than the note: their old rows may have left deltas behind.
 *
 * For each log: take up to slice rows. For each group of counters with the same source, through and
 * key: sum the delta rule over them. For each target: add the sums, and what was carried over
 * before, to its rows (apply_sql). For each derived relation and reaction: map the changed rows to
 * keys and append these to its work table (marks_sql).
 */
create or replace function millrace.drain_sql(names text[], slice text default '20000')
  returns text
  language plpgsql
  stable
  set search_path to ''
as $$
declare
  v_ctes text[] := '{}';
  v_log record;
  v_images record;
  v_group record;
  v_target record;
  v_parts text[];
  v_key text;
  v_zero text;
  v_d millrace.derivation;
  v_names record;
  v_members name[];
  v_cte text;
  v_before text[] := '{}';
  v_applies text[] := '{}';
  v_rows text[] := '{}';
  v_keys text[] := '{}';
  v_recounts text[] := '{}';
  v_changed text[] := '{}';
  v_full text[] := '{}';
begin
  v_ctes := array[millrace.undrained_sql()];
  for v_log in
    select distinct s.relation, millrace.qualified_name(s.log) as log,
      quote_ident(millrace.generated_name(s.relation)) as taken
    from millrace.reading r
    join millrace.source s on s.relation = r.relation
    where r.name = any (drain_sql.names)
    order by taken
  loop
    v_ctes := v_ctes || format(
      E'%s as (\n'
      '  delete from %s where ctid in (select ctid from %s limit %s)\n'
      '  returning *, ctid as taken_id\n'
      ')',
      v_log.taken, v_log.log, v_log.log, drain_sql.slice);
    v_rows := v_rows || format('%L, (select count(*) from %s)',
      millrace.qualified_name(v_log.relation), v_log.taken);
    v_full := v_full || format('(select count(*) from %s) >= %s', v_log.taken, drain_sql.slice);
  end loop;
  v_ctes := v_ctes || format(
    E'portion as materialized (\n'
    '  select %s as is_sliced\n'
    ')',
    array_to_string(v_full, ' or '));

  -- the images of each pair of source and through, made once for all that read them
  for v_images in
    select
      d.source,
      d.through,
      min(d.source_key::text)::name[] as source_key,
      min(d.through_key::text)::name[] as through_key,
      array_agg(distinct s.name) as source_columns,
      array_agg(distinct t.name) filter (where t.name is not null) as through_columns
    from millrace.derivation d
    cross join lateral unnest(d.source_columns) s(name)
    left join lateral unnest(d.through_columns) t(name) on true
    where d.name = any (drain_sql.names) and d.kind = 'counter'
    group by d.source, d.through
  loop
    v_ctes := v_ctes || format(
      E'%s as materialized (\n%s\n)',
      millrace.images_name(v_images.source, v_images.through),
      millrace.images_sql(
        'taken', v_images.source, v_images.through,
        v_images.source_columns, v_images.through_columns,
        v_images.source_key, v_images.through_key));
  end loop;

  for v_target in
    select
      d.target,
      millrace.qualified_name(d.target) as target_name,
      d.target_key,
      array_agg(d.target_column order by d.target_column) as columns,
      format('millrace_log.%I', millrace.generated_name(d.target, '__carry')) as carry,
      quote_ident(millrace.generated_name(d.target, '__carried')) as carried,
      quote_ident(millrace.generated_name(d.target, '__delta')) as delta,
      quote_ident(millrace.generated_name(d.target, '__applied')) as applied,
      quote_ident(millrace.generated_name(d.target, '__recounted')) as recounted,
      format('millrace_log.%I', millrace.generated_name(d.target, '__recount')) as recount,
      bool_or(d.notifies) as notifies
    from millrace.derivation d
    where d.name = any (drain_sql.names) and d.kind = 'counter'
    group by d.target, d.target_key
  loop
    v_key := millrace.list(v_target.target_key);
    v_ctes := v_ctes || format(
      E'%s as (\n'
      '  delete from %s\n'
      '  where not (select is_sliced from portion)\n'
      '  returning %s\n'
      ')',
      v_target.recounted, v_target.recount, v_key);
    v_ctes := v_ctes || format(
      E'%s as (\n'
      '  delete from %s where column_name in (%s) returning *\n'
      ')',
      v_target.carried, v_target.carry, millrace.list(v_target.columns, '%L'));
    v_parts := array[format(
      E'select %s, %s\n'
      '    from %s',
      v_key,
      millrace.list(v_target.columns, 'case column_name when %1$L then delta end as %1$I'),
      v_target.carried)];
    for v_group in
      select
        array_agg(d order by d.target_column) as derivations,
        array_agg(d.target_column) as columns,
        millrace.images_name(d.source, d.through) as images
      from millrace.derivation d
      where d.name = any (drain_sql.names) and d.target = v_target.target
      group by d.source, d.through, d.key, case when d.members is not null then d.name end
      order by min(d.target_column)
    loop
      v_zero := (
        select string_agg(
          case
            when c.name = any (v_group.columns) then format('sum(%1$I) as %1$I', c.name)
            else format('null as %I', c.name)
          end, ', ' order by c.position)
        from unnest(v_target.columns) with ordinality c(name, position)
      );
      if (v_group.derivations[1]).members is null then
        v_parts := v_parts || format(
          E'select %s, %s\n'
          '    from (\n'
          '%s\n'
          '    ) rows\n'
          '    group by %s',
          v_key, v_zero, millrace.rows_sql(v_group.derivations, v_group.images), v_key);
      else
        v_d := v_group.derivations[1];
        v_names := millrace.generated(v_d);
        v_cte := quote_ident(
          millrace.generated_name(v_d.target, '__' || v_d.target_column || '__change'));
        v_members := v_d.target_key || millrace.member_names(v_d);
        v_ctes := v_ctes || format(
          E'%s as materialized (\n'
          '  select %s, coalesce(m.n, 0) + c.delta as n, coalesce(m.n, 0) as stored,\n'
          '    m.row_id\n'
          '  from (\n'
          '    select %s, sum(%I) as delta\n'
          '    from (\n'
          '%s\n'
          '    ) rows\n'
          '    group by %3$s\n'
          '    having sum(%4$I) <> 0\n'
          '  ) c\n'
          '  left join lateral (\n'
          '    select m.n, m.ctid as row_id from %6$s m where %7$s offset 0\n'
          '  ) m on true\n'
          ')',
          v_cte,
          millrace.list(v_members, 'c.%I'),
          millrace.list(v_members),
          v_d.target_column,
          millrace.rows_sql(array[v_d], v_group.images),
          v_names.members,
          millrace.list(v_members, 'm.%1$I = c.%1$I', ' and '));
        v_ctes := v_ctes || millrace.members_sql(v_d);
        v_before := v_before || millrace.members_ctes(v_d);
        v_parts := v_parts || format(
          E'select %s, %s\n'
          '    from (\n'
          '      select %s, %s\n'
          '      from %s\n'
          '    ) rows\n'
          '    group by %s',
          v_key,
          v_zero,
          v_key,
          format('(n > 0)::integer - (stored > 0)::integer as %I', v_d.target_column),
          v_cte,
          v_key);
      end if;
    end loop;

    v_ctes := v_ctes || format(
      E'%s as materialized (\n'
      '  select %s, %s\n'
      '  from (\n'
      '    %s\n'
      '  ) deltas\n'
      '  where (%s) not in (select %5$s from %6$s)\n'
      '  group by %5$s\n'
      '  having %7$s\n'
      ')',
      v_target.delta,
      v_key,
      millrace.list(v_target.columns, 'coalesce(sum(%1$I), 0) as %1$I'),
      array_to_string(v_parts, E'\n    union all\n    '),
      v_key,
      v_target.recounted,
      millrace.list(v_target.columns, 'sum(%1$I) <> 0', ' or '));
    v_before := v_before || v_target.delta;
    v_applies := v_applies
      || millrace.apply_sql(v_target.target, v_target.target_key, v_target.columns);
    v_recounts := v_recounts || format(
      '%L, (select coalesce(jsonb_agg(jsonb_build_array(%s)), ''[]'') from %s)',
      v_target.target_name, v_key, v_target.recounted);
    v_keys := v_keys || format('(select count(*) from %s)', v_target.applied);
    if v_target.notifies then
      v_changed := v_changed || format(
        E'%L, (\n'
        '      select jsonb_agg(k.key)\n'
        '      from (select jsonb_build_array(%s) as key from %s limit 1000) k)',
        v_target.target_name, v_key, v_target.delta);
    end if;
  end loop;

  v_ctes := v_ctes || millrace.marks_sql(drain_sql.names);
  if cardinality(v_applies) > 0 then
    v_ctes := v_ctes || millrace.ready_sql(v_before) || v_applies;
  end if;

  return format(
    E'with\n'
    '%s\n'
    'select\n'
    '  jsonb_build_object(%s) as rows,\n'
    '  %s as keys,\n'
    '  jsonb_build_object(%s) as recount,\n'
    '  jsonb_build_object(%s) as changed',
    array_to_string(v_ctes, E',\n'),
    array_to_string(v_rows, E',\n    '),
    coalesce(nullif(array_to_string(v_keys, ' + '), ''), '0::bigint'),
    array_to_string(v_recounts, E',\n    '),
    array_to_string(v_changed, E',\n    '));
end
$$;

comment on function millrace.drain_sql(text[], text) is
  'The statement that drains the logs of the named derivations, up to slice rows of each.';
