/*
 * Compares the stored values of one target with the truth, and repairs them, as one statement over
 * a batch of keys. One statement is one snapshot, in which drift = truth - (stored + pending);
 * writers that are correct never change that difference, so adding it to the stored value is right
 * whatever commits meanwhile, and no false repair is possible under load.
 *
 * For a distinct counter the reference counts are compared too: each must become truth - pending,
 * and the stored value the number of those above zero.
 *
 * batch: keys ($1: the last key of the batch before, as text, or null; $2: how many) or listed ($1:
 * keys as a jsonb array of arrays). Keys that are noted to be counted afresh are left to the drain:
 * exact reads recount them until then. indexed: read what the batch needs by index, or else
 * everything once. What a batch of keys needs is read as one range of the key, from its first to
 * its last: looked up key by key, the rows of the through table's log would be gone through for
 * each. The range of the first column is said again by itself, without which the planner takes
 * every index that begins with that column to be as good as the one on the whole key: with a tenant
 * there, each batch read all of the tenant (3,000,000 rows: 730 ms for 20 keys instead of 33). The
 * planner has no idea how long a range is, though: it would rather read all of a through table once
 * for each batch than by index what the batch needs of it (900,000 rows: 470 ms for 20 keys).
 * Listed keys, and keys in an order that is not Postgres' own (is_ranged), are looked up one by
 * one.
 */
create or replace function millrace.reconcile_sql(
  names text[], batch text, indexed boolean, repair boolean
)
  returns text
  language plpgsql
  stable
  set search_path to ''
as $$
declare
  v_derivations constant millrace.derivation[] := array(
    select d
    from millrace.derivation d
    where d.name = any (reconcile_sql.names)
    order by d.target_column
  );
  v_d millrace.derivation := v_derivations[1];
  v_names record := millrace.generated(v_d);
  v_target constant text := millrace.qualified_name(v_d.target);
  v_key constant text := millrace.list(v_d.target_key);
  v_key_b constant text := millrace.list(v_d.target_key, 'b.%I');
  v_key_t constant text := millrace.list(v_d.target_key, 't.%I');
  v_key_text constant text := 'array[' || millrace.list(v_d.target_key, '%I::text') || ']';
  v_on constant text := millrace.list(v_d.target_key, 'x.%1$I = b.%1$I', ' and ');
  v_ranged constant boolean := reconcile_sql.indexed and reconcile_sql.batch = 'keys' and (
    select bool_and(millrace.is_ranged(d)) from unnest(v_derivations) d
  );
  v_each constant boolean := reconcile_sql.indexed and not v_ranged;
  -- what of a view x belongs to the batch
  v_where constant text := case
    when v_each then ' where ' || v_on
    when v_ranged then format(
      ' where (%1$s) >= (select %2$s from batch order by %2$s limit 1)'
      ' and (%1$s) <= (select %2$s from batch order by %3$s limit 1)%4$s',
      millrace.list(v_d.target_key, 'x.%I'),
      v_key,
      millrace.list(v_d.target_key, '%I desc'),
      case when cardinality(v_d.target_key) > 1 then format(
        ' and x.%1$I >= (select %1$I from batch order by %1$I limit 1)'
        ' and x.%1$I <= (select %1$I from batch order by %1$I desc limit 1)',
        v_d.target_key[1])
      else '' end)
    else ''
  end;
  v_look constant text := case when v_each
    then '(select x.* from %s x' || v_where || ' offset 0) %s on true'
    else '(select x.* from %s x' || v_where || ') %s on ' || replace(v_on, 'x.', '%2$s.')
  end;
  v_lateral constant text := case when v_each then 'left join lateral ' else 'left join ' end;
  v_columns constant name[] := array(select (d).target_column from unnest(v_derivations) d);
  v_truth text;
  v_members name[];
  v_check text;
  v_ctes text[] := '{}';
  v_results text[] := '{}';
  v_deltas text[] := '{}';
  v_before text[] := '{}';
begin
  v_ctes := array[format(
    E'batch as materialized (\n'
    '  select %s, %s,\n'
    '    exists (select from %s r where %s) as is_noted\n'
    '  from %s',
    v_key_t,
    millrace.list(v_columns, 't.%I'),
    v_names.recount,
    millrace.list(v_d.target_key, 'r.%1$I = t.%1$I', ' and '),
    case reconcile_sql.batch
      when 'listed' then format(
        E'(select distinct %s from jsonb_array_elements($1) e) l\n'
        '  join %s t using (%s)\n'
        ')',
        (
          select string_agg(
            format('(e ->> %s)::%s as %I',
              k.position - 1, millrace.column_type(v_d.target, k.name), k.name),
            ', ' order by k.position)
          from unnest(v_d.target_key) with ordinality k(name, position)
        ),
        v_target,
        v_key)
      else format(
        E'%s t\n'
        '  where $1 is null or (%s) > (%s)\n'
        '  order by %s\n'
        '  limit $2\n'
        ')',
        v_target,
        v_key_t,
        (
          select string_agg(
            format('($1[%s])::%s', k.position, millrace.column_type(v_d.target, k.name)),
            ', ' order by k.position)
          from unnest(v_d.target_key) with ordinality k(name, position)
        ),
        v_key_t)
    end
  )];

  foreach v_d in array v_derivations loop
    v_names := millrace.generated(v_d);
    -- looked up key by key all the same where it takes reading all of a large through table
    v_truth := case when v_ranged and millrace.table_size(v_d.through) > 64 * 1024 * 1024
      then format(
        '(select x.* from batch b cross join lateral (select x.* from %%s x where %s offset 0) x)',
        v_on)
    end;
    v_check := quote_ident(
      millrace.generated_name(v_d.target, '__' || v_d.target_column || '__check'));
    if v_d.members is null then
      v_ctes := v_ctes || format(
        E'%s as materialized (\n'
        '  select %s, b.is_noted,\n'
        '    coalesce(b.%I, 0) + coalesce(p.delta, 0) as exact,\n'
        '    coalesce(t.value, 0) as truth,\n'
        '    0 as wrong_members,\n'
        '    coalesce(t.value, 0) - coalesce(b.%3$I, 0) - coalesce(p.delta, 0) as adjustment\n'
        '  from batch b\n'
        '  %s%s\n'
        '  %4$s%6$s\n'
        ')',
        v_check,
        v_key_b,
        v_d.target_column,
        v_lateral,
        case when v_truth is null then format(v_look, v_names.truth, 't')
          else format(v_truth, v_names.truth) || ' t on ' || replace(v_on, 'x.', 't.') end,
        format(v_look, v_names.pending, 'p'));
    else
      v_members := millrace.member_names(v_d);
      v_ctes := v_ctes || format(
        E'%1$s as materialized (\n'
        '  select %2$s, %3$s,\n'
        '    sum(c.truth) - sum(c.pending) as n,\n'
        '    sum(c.stored) as stored,\n'
        '    max(c.row_id) as row_id\n'
        '  from batch b\n'
        '  join %4$s(\n'
        '    select x.*, n as truth, 0 as pending, 0 as stored, null::tid as row_id\n'
        '    from %5$s\n'
        '    union all\n'
        '    select x.*, 0, n, 0, null from %6$s x%8$s\n'
        '    union all\n'
        '    select x.*, 0, 0, n, x.ctid from %7$s x%8$s\n'
        '  ) c on %9$s\n'
        '  group by %2$s, %3$s\n'
        ')',
        quote_ident(millrace.generated_name(v_d.target, '__' || v_d.target_column || '__change')),
        v_key_b,
        millrace.list(v_members, 'c.%I'),
        case when v_each then 'lateral ' else '' end,
        case when v_truth is null then v_names.truth_members || ' x' || v_where
          else format(v_truth, v_names.truth_members) || ' x' end,
        v_names.pending_members,
        v_names.members,
        v_where,
        case when v_each then 'true' else replace(v_on, 'x.', 'c.') end);
      v_ctes := v_ctes || format(
        E'%1$s as materialized (\n'
        '  select %2$s, b.is_noted,\n'
        '    coalesce(b.%3$I, 0) + coalesce(p.delta, 0) as exact,\n'
        '    coalesce(t.value, 0) as truth,\n'
        '    coalesce(m.wrong, 0) as wrong_members,\n'
        '    coalesce(m.n, 0) - coalesce(b.%3$I, 0) - coalesce(c.delta, 0) as adjustment\n'
        '  from batch b\n'
        '  %4$s%5$s\n'
        '  %4$s%6$s\n'
        '  left join (\n'
        '    select %7$s,\n'
        '      count(*) filter (where n > 0) as n,\n'
        '      count(*) filter (where n <> stored) as wrong\n'
        '    from %8$s\n'
        '    group by %7$s\n'
        '  ) m on %11$s\n'
        '  left join (\n'
        '    select %7$s, sum(delta) as delta\n'
        '    from %9$s\n'
        '    where column_name = %10$L\n'
        '    group by %7$s\n'
        '  ) c on %12$s\n'
        ')',
        v_check,
        v_key_b,
        v_d.target_column,
        v_lateral,
        case when v_truth is null then format(v_look, v_names.truth, 't')
          else format(v_truth, v_names.truth) || ' t on ' || replace(v_on, 'x.', 't.') end,
        format(v_look, v_names.pending, 'p'),
        v_key,
        quote_ident(millrace.generated_name(v_d.target, '__' || v_d.target_column || '__change')),
        v_names.carry,
        v_d.target_column,
        millrace.list(v_d.target_key, 'm.%1$I = b.%1$I', ' and '),
        millrace.list(v_d.target_key, 'c.%1$I = b.%1$I', ' and '));
      if reconcile_sql.repair then
        v_ctes := v_ctes || millrace.members_sql(v_d);
        v_before := v_before || millrace.members_ctes(v_d);
      end if;
    end if;
    v_deltas := v_deltas || format(
      E'select %s, %s\n'
      '    from %s\n'
      '    where adjustment <> 0 and not is_noted',
      v_key,
      (
        select string_agg(
          case when c.name = v_d.target_column then 'adjustment' else 'null' end
            || format('::numeric as %I', c.name),
          ', ' order by c.position)
        from unnest(v_columns) with ordinality c(name, position)
      ),
      v_check);
    v_results := v_results || format(
      E'%L, (\n'
      '    select jsonb_build_object(\n'
      '      ''checked'', count(*),\n'
      '      ''drifted'', count(*) filter (where exact <> truth or wrong_members > 0),\n'
      '      ''drift'', coalesce(sum(abs(truth - exact)), 0),\n'
      '      ''examples'', coalesce(jsonb_path_query_array(\n'
      '        jsonb_agg(jsonb_build_object(\n'
      '          ''key'', %s,\n'
      '          ''exact'', exact,\n'
      '          ''truth'', truth,\n'
      '          ''wrong_members'', wrong_members\n'
      '        )) filter (where exact <> truth or wrong_members > 0), ''$[0 to 4]''), ''[]''))\n'
      '    from %s\n'
      '    where not is_noted\n'
      '  )',
      v_d.name, v_key_text, v_check);
  end loop;

  if reconcile_sql.repair then
    v_ctes := v_ctes || format(
      E'%s as materialized (\n'
      '  select %s, %s\n'
      '  from (\n'
      '    %s\n'
      '  ) adjustments\n'
      '  group by %2$s\n'
      ')',
      quote_ident(millrace.generated_name(v_d.target, '__delta')),
      v_key,
      millrace.list(v_columns, 'coalesce(sum(%1$I), 0) as %1$I'),
      array_to_string(v_deltas, E'\n    union all\n    '));
    v_ctes := v_ctes
      || millrace.ready_sql(
        v_before || quote_ident(millrace.generated_name(v_d.target, '__delta')))
      || millrace.apply_sql(v_d.target, v_d.target_key, v_columns);
  end if;
  return format(
    E'with\n'
    '%s\n'
    'select\n'
    '  jsonb_build_object(%s) as results,\n'
    '  (select count(*) from batch) as checked,\n'
    '  (select %s from batch order by %s limit 1) as last_key',
    array_to_string(v_ctes, E',\n'),
    array_to_string(v_results, E',\n  '),
    v_key_text,
    millrace.list(v_d.target_key, '%I desc'));
end
$$;

comment on function millrace.reconcile_sql(text[], text, boolean, boolean) is
  'The statement that compares stored values of one target with a recount, for a batch of keys.';
