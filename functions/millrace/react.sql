/*
 * Declares that a task runs for each key that changed in a source: after the key has been quiet for
 * debounce, at the latest max_wait after its first change, no sooner than min_interval after its
 * last run began, one run at a time for a key, and once more when something changed during the run.
 * A run that fails is tried again by graphile-worker, after a wait that grows; other keys go on.
 *
 * Declared again with another filter, other columns or waits it keeps what waits for it. Another
 * source or key makes it another reaction: what waits for the old one goes with it.
 *
 * The task is one of graphile-worker and gets the key as its payload: {"conversation_id": 7}. It
 * runs at least once for each change: after a crash it may run again.
 */
create or replace function millrace.react(
  name text,
  source text,
  key text[],
  task text,
  debounce interval default '1 second',
  max_wait interval default null,
  min_interval interval default '0',
  filter text default 'true',
  columns text[] default null
)
  returns text
  language plpgsql
  volatile
  set search_path to ''
  set client_min_messages to warning
as $$
declare
  v_d millrace.derivation;
  v_old millrace.derivation;
  v_mapping millrace.mapping;
  v_key_types text[];
  v_read record;
begin
  perform millrace.check_declarer();
  if coalesce(react.name, '') !~ '^[a-z_][a-z0-9_]{0,59}$' then
    raise exception 'The name % is no plain name', coalesce(react.name, 'null') using
      errcode = 'MR001',
      detail = 'A reaction is known by its name in status, drop, pause and run_now.',
      hint = 'Use lower-case letters, digits and underscores, 60 at most.';
  end if;
  if coalesce(react.task, '') = '' then
    raise exception 'A reaction needs a task' using
      errcode = 'MR030',
      detail = 'What runs is a task of graphile-worker.',
      hint = 'Name a file of tasks/ without its ending.';
  end if;
  v_d.debounce := react.debounce;
  v_d.max_wait := coalesce(react.max_wait, greatest(react.debounce * 10, interval '10 seconds'));
  v_d.min_interval := coalesce(react.min_interval, interval '0');
  perform millrace.check_waits(v_d.debounce, v_d.max_wait);
  if v_d.min_interval < interval '0' then
    raise exception 'A min_interval of % makes no sense', v_d.min_interval using
      errcode = 'MR024',
      detail = 'It is the least time between the starts of two runs for a key.',
      hint = 'Let it be zero or more.';
  end if;
  v_d.kind := 'react';
  v_d.name := react.name;
  v_d.task := react.task;
  v_mapping.source := millrace.relation(react.source);
  perform millrace.check_key(v_mapping.source, react.key);
  perform millrace.check_names(v_mapping.source, coalesce(react.columns, '{}'));
  v_d.target_key := react.key;
  v_read := millrace.read_columns('filter', coalesce(react.filter, 'true'),
    millrace.qualified_name(v_mapping.source) || ' source', v_mapping.source, null);
  if v_read.type_name <> 'boolean' then
    raise exception 'The filter is of type %, not boolean', v_read.type_name using
      errcode = 'MR004',
      detail = format('filter: %s', react.filter),
      hint = 'The filter says for which images of rows the task runs.';
  end if;
  v_mapping.columns := array(
    select distinct c.name from unnest(v_d.target_key || v_read.source_columns) c(name) order by 1
  );
  v_mapping.compared := array(
    select c.name from unnest(v_mapping.columns) c(name)
    union
    select a.attname
    from pg_catalog.pg_attribute a
    where a.attrelid = v_mapping.source and a.attnum > 0 and not a.attisdropped
      and a.attgenerated <> 'v'
      and (react.columns is null or a.attname = any (react.columns))
    order by 1
  );
  perform millrace.check_columns(v_mapping.source, v_mapping.columns, v_mapping.compared);
  v_mapping.key_columns := v_d.target_key;
  v_mapping.query := format(E'select %s from changed source where (%s\n)',
    millrace.list(v_d.target_key, 'source.%I'), coalesce(react.filter, 'true'));
  v_d.module := nullif(current_setting('millrace.module', true), '');
  v_d.arguments := jsonb_build_object(
    'source', react.source,
    'key', to_jsonb(react.key),
    'filter', react.filter,
    'columns', to_jsonb(react.columns),
    'compared', to_jsonb(v_mapping.compared));

  perform millrace.lock_engine();
  select d.* into v_old from millrace.derivation d where d.name = v_d.name;
  if v_old.kind <> 'react' then
    raise exception 'There is already a % named %', v_old.kind, v_d.name using
      errcode = 'MR025',
      detail = 'A name stands for one derivation.',
      hint = format('Give the reaction another name, or select millrace.drop(%L);', v_d.name);
  end if;
  if v_old.arguments = v_d.arguments then
    perform millrace.declared_again(v_old.id, v_d.module, false);
    perform millrace.renew_logs();
    update millrace.derivation d
      set task = v_d.task, debounce = v_d.debounce, max_wait = v_d.max_wait,
        min_interval = v_d.min_interval
      where d.id = v_old.id and (d.task, d.debounce, d.max_wait, d.min_interval)
        is distinct from (v_d.task, v_d.debounce, v_d.max_wait, v_d.min_interval);
    return v_d.name;
  end if;
  v_key_types := array(
    select millrace.column_definition(v_mapping.source, k.name)
    from unnest(v_d.target_key) with ordinality k(name, position) order by k.position
  );
  if v_old.id is not null and (
    v_mapping.source <> (
      select m.source from millrace.mapping m where m.derivation = v_old.id)
    or v_d.target_key <> v_old.target_key
    or v_key_types <> array(
      select millrace.column_definition(v_old.work, k.name)
      from unnest(v_old.target_key) with ordinality k(name, position) order by k.position)
  ) then
    perform millrace.drop(v_old.name);
    v_old := null;
  end if;
  perform millrace.lock_tables(array[v_mapping.source], array(
    select s.log from millrace.source s
    where s.relation = v_mapping.source and not s.columns @> v_mapping.columns
  ));
  perform millrace.add_sources(array[v_mapping.source]);
  if v_old.id is not null then
    begin
      -- the old rule is the one for what is pending
      perform millrace.mark_rows(v_old, s.log::text, clock_timestamp())
        from millrace.source s where s.relation = v_mapping.source;
    exception when data_exception then
      perform millrace.fail(v_old.name, sqlstate || ': ' || sqlerrm);
    end;
    update millrace.derivation d
      set task = v_d.task, debounce = v_d.debounce, max_wait = v_d.max_wait,
        min_interval = v_d.min_interval, arguments = v_d.arguments, module = v_d.module,
        stale_declaration = false, declared_at = clock_timestamp(),
        state = case d.state when 'failed' then 'backfilling' else d.state end
      where d.id = v_old.id;
    perform millrace.set_mappings(v_old.id, array[v_mapping], '{}');
    return v_d.name;
  end if;
  v_d.work := millrace.make_work(v_d.name, v_d.target_key, v_key_types, false);
  insert into millrace.derivation (
    name, kind, target_key, work, task, debounce, max_wait, min_interval, arguments, module, state
  ) values (
    v_d.name, v_d.kind, v_d.target_key, v_d.work, v_d.task, v_d.debounce, v_d.max_wait,
    v_d.min_interval, v_d.arguments, v_d.module, 'active'
  )
    returning id into v_d.id;
  insert into millrace.progress (derivation) values (v_d.id);
  perform millrace.set_mappings(v_d.id, array[v_mapping], '{}');
  perform millrace.hand_over(v_d);
  return v_d.name;
end
$$;

comment on function millrace.react(
  text, text, text[], text, interval, interval, interval, text, text[]
) is
  'Declares that a graphile-worker task runs for each key that changed in a source: debounced, '
  'bounded by max_wait, one at a time for a key, not lost. Returns its name. Errors: MR001 to '
  'MR030.';
