/*
 * Declares a maintained count, sum or distinct count: a column of a target table. Run it again as
 * often as you like: the same arguments change nothing, others replace triggers and views and count
 * again.
 *
 * On a table in use it takes, for moments, a share row exclusive lock on source, through and
 * target: it waits for running writers and new ones wait for it. Small tables are counted at once,
 * large ones by the next drains, in batches, without holding up any writer; until then exact reads
 * recount.
 *
 * Lock order: the drain's lock first, so that nothing drains between the old definition and the
 * new, then the tables.
 */
create or replace function millrace.counter(
  target text,
  source text,
  key text[],
  filter text default 'true',
  value text default null,
  through text default null,
  distinct_on text[] default null,
  notify boolean default false
)
  returns text
  language plpgsql
  volatile
  set search_path to ''
  set client_min_messages to warning
as $$
declare
  v_parts text[];
  v_arguments constant jsonb := jsonb_build_object(
    'source', counter.source,
    'key', to_jsonb(counter.key),
    'filter', counter.filter,
    'value', counter.value,
    'through', counter.through,
    'distinct_on', to_jsonb(counter.distinct_on));
  -- column names that generated tables, views and statements use beside those of the key
  v_beside_values constant name[] := array['is_noted'] || array(
    select 'member_' || m from generate_series(1, cardinality(counter.distinct_on)) m
  );
  v_beside_keys constant name[] := v_beside_values || array[
    'column_name', 'delta', 'value', 'n', 'stored', 'pending', 'exact', 'truth', 'wrong',
    'wrong_members', 'adjustment'
  ];
  v_d millrace.derivation;
  v_old millrace.derivation;
  v_from text;
  v_type text;
  v_read record;
  v_column record;
begin
  perform millrace.check_declarer();
  begin
    v_parts := parse_ident(counter.target);
  exception when invalid_parameter_value or null_value_not_allowed then
    v_parts := null;
  end;
  if cardinality(v_parts) is distinct from 3 then
    raise exception 'The target % is not schema.table.column',
      coalesce(counter.target, 'null') using
      errcode = 'MR001',
      detail = 'A counter is kept in a column of an ordinary table.',
      hint = 'Write for example app_public.opinion.agree_count.';
  end if;

  v_d.kind := 'counter';
  v_d.target := millrace.relation(format('%I.%I', v_parts[1], v_parts[2]));
  v_d.target_column := v_parts[3];
  v_d.name := array_to_string(v_parts, '.');
  if exists (
    select from millrace.derivation d where d.kind = 'materialize' and d.target = v_d.target
  ) then
    raise exception '% is a derived relation itself', v_d.target using
      errcode = 'MR025',
      detail = 'Its rows are written from its definition only.',
      hint = 'Count in the definition, or in a column of a base table.';
  end if;
  v_d.target_key := millrace.primary_key(v_d.target);
  if v_d.target_key is null then
    raise exception '% has no primary key', v_d.target using
      errcode = 'MR003',
      detail = 'Counts are kept for each row of the target, which its primary key names.',
      hint = 'Add a primary key to the target.';
  end if;
  if v_d.target_key && v_beside_keys or v_d.target_column = any (v_beside_values) then
    raise exception 'A column of % has a name that the engine uses itself', v_d.target using
      errcode = 'MR011',
      detail = format('Primary key: %s. Counts stand beside keys in columns called %s.',
        array_to_string(v_d.target_key, ', '), array_to_string(v_beside_keys, ', ')),
      hint = 'Rename the column.';
  end if;
  v_type := millrace.column_type(v_d.target, v_d.target_column);
  if v_type is null then
    raise exception '% has no column %', v_d.target, v_d.target_column using
      errcode = 'MR002',
      detail = 'The engine keeps the value in a column that the table''s owner makes.',
      hint = format('alter table %s add column %I bigint not null default 0;',
        v_d.target, v_d.target_column);
  end if;
  if v_type !~ '^(integer|bigint|numeric)' or v_d.target_column = any (v_d.target_key) or exists (
    select from pg_catalog.pg_attribute a
    where a.attrelid = v_d.target
      and a.attname = v_d.target_column
      and (a.attgenerated <> '' or a.attidentity <> '')
  ) then
    raise exception 'The column % of % cannot hold a counter', v_d.target_column, v_d.target using
      errcode = 'MR004',
      detail = format('Its type is %s.', v_type),
      hint = 'Use an ordinary column of type bigint, integer or numeric that is no part of the '
        'key.';
  end if;

  v_d.source := millrace.relation(counter.source);
  if counter.through is not null then
    v_d.through := millrace.relation(counter.through);
    select k.source_key, k.through_key into v_d.source_key, v_d.through_key
      from millrace.foreign_key(v_d.source, v_d.through) k;
  end if;
  if cardinality(counter.key) is distinct from cardinality(v_d.target_key) then
    raise exception 'The key has % columns, the primary key of % has %',
      coalesce(cardinality(counter.key), 0), v_d.target, cardinality(v_d.target_key) using
      errcode = 'MR008',
      detail = format('Primary key: %s.', array_to_string(v_d.target_key, ', ')),
      hint = 'Name, in the order of the primary key, the columns of the source that hold it.';
  end if;
  v_d.key := array(
    select millrace.qualify(k.name, v_d.source, v_d.through)
    from unnest(counter.key) with ordinality k(name, position) order by k.position
  );
  if counter.distinct_on is not null then
    if counter.value is not null or cardinality(counter.distinct_on) = 0 then
      raise exception 'A distinct count needs columns and takes no value' using
        errcode = 'MR009',
        detail = format('distinct_on: %s, value: %s.', counter.distinct_on, counter.value),
        hint = 'Leave out value, or leave out distinct_on.';
    end if;
    v_d.members := array(
      select millrace.qualify(m.name, v_d.source, v_d.through)
      from unnest(counter.distinct_on) with ordinality m(name, position) order by m.position
    );
  end if;
  v_d.filter := coalesce(counter.filter, 'true');
  v_d.value := coalesce(counter.value, '1');

  v_from := millrace.qualified_name(v_d.source) || ' source'
    || coalesce(', ' || millrace.qualified_name(v_d.through) || ' via', '');
  v_d.source_columns := coalesce(v_d.source_key, '{}');
  v_d.through_columns := coalesce(v_d.through_key, '{}');
  for v_column in
    select 'filter' as what, v_d.filter as expression, 'boolean' as wanted
    union all
    select 'value', v_d.value, 'integer|bigint|smallint|numeric'
    union all
    select 'key', millrace.column_sql(k.source), millrace.column_type(v_d.target, k.name)
    from unnest(v_d.key, v_d.target_key) k(source, name)
    union all
    select 'distinct_on', millrace.column_sql(m.name), null
    from unnest(v_d.members) m(name)
  loop
    v_read := millrace.read_columns(
      v_column.what, v_column.expression, v_from, v_d.source, v_d.through);
    if regexp_replace(v_read.type_name, '\(.*\)', '')
      <> all (string_to_array(regexp_replace(v_column.wanted, '\(.*\)', ''), '|'))
    then
      raise exception 'The % is of type %, not %', v_column.what, v_read.type_name,
        replace(v_column.wanted, '|', ', ') using
        errcode = 'MR004',
        detail = format('%s: %s', v_column.what, v_column.expression),
        hint = 'Floating-point sums depend on the order of addition; keys must have the type of '
          'the primary key. Cast the expression or change the column.';
    end if;
    if v_column.what = 'value' and v_read.type_name ~ '^numeric' then
      if v_type !~ '^numeric$'
        and coalesce(substring(v_read.type_name from ',(-?\d+)\)')::integer, 1000)
          > coalesce(substring(v_type from ',(-?\d+)\)')::integer, 0)
      then
        raise exception 'The column % of % would round the sum of %',
          v_d.target_column, v_d.target, v_d.value using
          errcode = 'MR004',
          detail = format(
            'The value is of type %s, the column of type %s; each drain would round its part.',
            v_read.type_name, v_type),
          hint = format('alter table %s alter column %I type numeric;',
            v_d.target, v_d.target_column);
      end if;
      v_d.value := format(E'millrace.finite(%s\n)', v_d.value);
    end if;
    v_d.source_columns := v_d.source_columns || v_read.source_columns;
    v_d.through_columns := v_d.through_columns || v_read.through_columns;
  end loop;
  v_d.source_columns := array(select distinct unnest(v_d.source_columns) as c order by c);
  v_d.through_columns := array(select distinct unnest(v_d.through_columns) as c order by c);
  perform millrace.check_columns(v_d.source, v_d.source_columns);
  perform millrace.check_columns(v_d.through, v_d.through_columns);
  perform millrace.check_visible(v_d.target);
  perform millrace.check_equality(
      case c.side when 'source' then v_d.source else v_d.through end, array_agg(c.name))
    from (
      select split_part(k.name, '.', 1) as side, substr(k.name, strpos(k.name, '.') + 1) as name
      from unnest(v_d.key || v_d.members) k(name)
      union all
      select 'source', k.name from unnest(v_d.source_key) k(name)
    ) c
    group by c.side;

  v_d.guarded := exists (
    select
    from (values ('source', v_d.source), ('via', v_d.through)) side(name, relation)
    cross join lateral (
      select array_agg(
        case
          when k.key like side.name || '.%' then substr(k.key, strpos(k.key, '.') + 1)
          when side.name = 'via' then v_d.through_key[
            array_position(v_d.source_key, substr(k.key, 8)::name)
          ]
        end::name order by k.position) as columns
      from unnest(v_d.key) with ordinality k(key, position)
    ) c
    where array_position(c.columns, null) is null
      and millrace.is_guarded(side.relation, c.columns, v_d.target, v_d.target_key)
  );
  v_d.arguments := v_arguments;
  v_d.module := nullif(current_setting('millrace.module', true), '');
  v_d.notifies := counter.notify;

  perform millrace.lock_engine();
  select d.* into v_old
    from millrace.derivation d where d.target = v_d.target and d.target_column = v_d.target_column;
  if found and v_old.arguments = v_d.arguments and v_old.guarded = v_d.guarded
    and v_old.source_columns = v_d.source_columns and v_old.through_columns = v_d.through_columns
    and v_old.name = v_d.name
  then
    perform millrace.declared_again(v_old.id, v_d.module, v_d.notifies);
    perform millrace.renew_logs();
    perform millrace.refresh_pending(v_old);
    perform millrace.refresh_exact(v_old.name);
    return v_old.name;
  end if;
  if exists (
    select from millrace.derivation d
    where d.name = v_d.name and d.id is distinct from v_old.id
  ) then
    -- of a column whose table was dropped since, perhaps
    perform millrace.forget_vanished();
  end if;
  if exists (
    select from millrace.derivation d
    where d.name = v_d.name and d.id is distinct from v_old.id
  ) then
    raise exception 'There is already a derivation named %', v_d.name using
      errcode = 'MR025',
      detail = 'A name stands for one derivation; names with dots in them can come out the same.',
      hint = 'Rename the column, or drop the other derivation.';
  end if;
  perform millrace.check_acyclic(v_d);

  -- what is read no more loses its triggers, a log without some of the columns gets them
  perform millrace.lock_tables(array[v_d.target, v_d.source, v_d.through], array(
    select o.relation
    from unnest(array[v_old.source, v_old.through]) o(relation)
    where o.relation not in (v_d.source, coalesce(v_d.through, v_d.source))
    union
    select s.log
    from millrace.source s
    where s.relation in (v_d.source, v_d.through, v_old.source, v_old.through) and (
      v_old.id is not null
      or s.relation = v_d.source and not s.columns @> v_d.source_columns
      or s.relation = v_d.through and not s.columns @> v_d.through_columns
    )
  ));
  perform millrace.name_relations(array[v_d.target]);
  perform millrace.add_sources(array_remove(array[v_d.source, v_d.through], null));
  if v_old.id is not null then
    perform millrace.drop_views(v_old);
    delete from millrace.derivation d where d.name = v_old.name;
  end if;
  insert into millrace.derivation (
    name, kind, target, target_column, target_key,
    source, through, source_key, through_key,
    key, members, filter, value,
    source_columns, through_columns,
    guarded, arguments, module, notifies
  ) values (
    v_d.name, v_d.kind, v_d.target, v_d.target_column, v_d.target_key,
    v_d.source, v_d.through, v_d.source_key, v_d.through_key,
    v_d.key, v_d.members, v_d.filter, v_d.value,
    v_d.source_columns, v_d.through_columns,
    v_d.guarded, v_d.arguments, v_d.module, v_d.notifies
  )
    returning * into v_d;
  perform millrace.refresh_target(v_d.target);
  perform millrace.refresh_log(l.relation)
    from (
      select distinct r.relation
      from unnest(array[v_d.source, v_d.through, v_old.source, v_old.through]) r(relation)
    ) l
    where l.relation is not null;
  perform millrace.refresh_views(v_d);
  perform millrace.refresh_exact(v_d.name);
  perform millrace.refresh_pending_logs();
  perform millrace.hand_over(v_d);
  perform millrace.backfill_if_small(v_d.name);
  return v_d.name;
end
$$;

comment on function millrace.counter(text, text, text[], text, text, text, text[], boolean) is
  'Declares a column as a count, sum (value) or distinct count (distinct_on) of the rows of '
  'source that pass filter, by key; through makes the columns of a referenced table usable as '
  'via.<column>; notify announces changed keys on channel millrace. Returns the derivation''s '
  'name. Errors: MR001 to MR016, MR025.';
