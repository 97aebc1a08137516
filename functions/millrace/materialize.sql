/*
 * Declares a relation that is kept equal to an ordinary view, its definition. Run it again as often
 * as you like: the same arguments and the same definition change nothing; a changed definition is
 * computed beside the stored rows and takes their place in one transaction.
 *
 * incremental: a table with the key as its primary key. Changes of a source are mapped to keys by
 * the drain; the job recomputes these keys from the definition. <target>_live is exact at any
 * moment. refresh: a materialized view with a unique index on the key, refreshed concurrently by
 * the job when a table changed that it reads. The word strategy is all that tells them apart.
 *
 * On tables in use it takes, for moments, a share row exclusive lock on the sources. Small
 * relations are filled at once, large ones by the job, without holding up any writer.
 *
 * Lock order: the relation's lock, the engine's lock, the tables.
 */
create or replace function millrace.materialize(
  target text,
  definition text,
  key text[],
  strategy text default 'incremental',
  sources jsonb default null,
  debounce interval default '1 second',
  max_wait interval default '5 seconds',
  max_duty double precision default null,
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
  v_definition regclass;
  v_d millrace.derivation;
  v_old millrace.derivation;
  v_key_types text[];
  v_taken regclass;
  v_mappings millrace.mapping[];
  v_upstream regclass[];
begin
  perform millrace.check_declarer();
  begin
    v_parts := parse_ident(materialize.target);
  exception when invalid_parameter_value or null_value_not_allowed then
    v_parts := null;
  end;
  if cardinality(v_parts) is distinct from 2 or array_to_string(v_parts, '') ~ '[.]'
    or to_regnamespace(quote_ident(v_parts[1])) is null
  then
    raise exception 'The target % is not schema.relation', coalesce(materialize.target, 'null')
      using
      errcode = 'MR001',
      detail = case
        when to_regnamespace(quote_ident(v_parts[1])) is null
        then format('There is no schema %s.', v_parts[1])
        else 'A derived relation is made by the engine under the name given, in two parts without '
          'further dots.'
      end,
      hint = 'Write for example app_public.feed_project.';
  end if;
  v_definition := millrace.named(materialize.definition);
  if v_definition is null
    or (select c.relkind <> 'v' from pg_catalog.pg_class c where c.oid = v_definition)
  then
    raise exception 'There is no view %', coalesce(materialize.definition, 'null') using
      errcode = 'MR022',
      detail = 'What a derived relation holds is defined by an ordinary view.',
      hint = 'Create the view first, or correct the name: schema.view.';
  end if;
  if materialize.strategy is null or materialize.strategy not in ('incremental', 'refresh') then
    raise exception 'There is no strategy %', coalesce(materialize.strategy, 'null') using
      errcode = 'MR023',
      detail = 'A relation is kept key by key, or refreshed as a whole.',
      hint = 'Write incremental or refresh.';
  end if;
  if materialize.strategy = 'refresh' and materialize.sources is not null then
    raise exception 'A refreshed relation takes no sources' using
      errcode = 'MR023',
      detail = 'What it reads is taken from the catalog: any change touches all of it.',
      hint = 'Leave sources out, or use the strategy incremental.';
  end if;
  perform millrace.check_waits(materialize.debounce, materialize.max_wait, materialize.max_duty);
  if materialize.max_duty is not null and materialize.strategy = 'incremental' then
    raise exception 'Only a refreshed relation has a duty cycle' using
      errcode = 'MR024',
      detail = 'The cost of an incremental relation follows the change, not the size.',
      hint = 'Leave max_duty out, or use the strategy refresh.';
  end if;

  v_d.kind := 'materialize';
  v_d.name := array_to_string(v_parts, '.');
  v_d.strategy := materialize.strategy;
  v_d.definition := millrace.qualified_name(v_definition);
  v_d.target := to_regclass(format('%I.%I', v_parts[1], v_parts[2]));
  v_d.columns := array(
    select a.attname from pg_catalog.pg_attribute a
    where a.attrelid = v_definition and a.attnum > 0 order by a.attnum
  );
  perform millrace.check_key(v_definition, materialize.key);
  v_d.target_key := materialize.key;
  v_key_types := array(
    select millrace.column_type(v_definition, k.name)
    from unnest(v_d.target_key) with ordinality k(name, position) order by k.position
  );
  perform millrace.check_definition(v_definition);
  v_d.fingerprint := millrace.fingerprint(v_definition);
  v_d.debounce := materialize.debounce;
  v_d.max_wait := materialize.max_wait;
  v_d.max_duty := materialize.max_duty;
  v_d.notifies := materialize.notify;
  v_d.module := nullif(current_setting('millrace.module', true), '');
  v_d.arguments := jsonb_build_object(
    'definition', v_d.definition,
    'key', to_jsonb(v_d.target_key),
    'strategy', v_d.strategy,
    'sources', materialize.sources,
    'debounce', v_d.debounce,
    'max_wait', v_d.max_wait,
    'max_duty', v_d.max_duty);

  select d.* into v_old from millrace.derivation d where d.name = v_d.name;
  if v_old.id is not null and not millrace.is_declared(v_d, v_old) then
    -- a repeated declaration does not wait for a run that is under way
    perform millrace.lock_relation(v_old.id);
  end if;
  perform millrace.lock_engine();
  select d.* into v_old from millrace.derivation d where d.name = v_d.name;
  -- what a declaration that this one waited for has put in the place of another
  v_d.target := to_regclass(format('%I.%I', v_parts[1], v_parts[2]));
  v_mappings := millrace.mappings(
    v_definition, v_d.strategy, v_d.target_key, v_key_types, materialize.sources);
  v_upstream := array(
    select r.relation from millrace.definition_reads(v_definition) r
    where r.kind = 'm' or exists (
      select from millrace.derivation d where d.kind = 'materialize' and d.target = r.relation)
  );
  if v_old.kind <> 'materialize' then
    raise exception 'There is already a % named %', v_old.kind, v_d.name using
      errcode = 'MR025',
      detail = 'A name stands for one derivation.',
      hint = format('Give the relation another name, or select millrace.drop(%L);', v_d.name);
  end if;
  v_taken := case when v_d.target is distinct from v_old.target then v_d.target end;
  if v_taken is null and (v_old.id is null or v_old.strategy <> v_d.strategy) then
    -- what is generated beside the relation has a name too
    v_taken := (
      select coalesce(
        case when v_d.strategy = 'incremental' and to_regclass(n.exact) is null
          then to_regclass(n.live) end,
        case when v_old.id is null then to_regclass(n.definition) else to_regclass(n.next) end)
      from millrace.relation_names(v_d.name) n
    );
  end if;
  if v_taken is not null then
    raise exception '% exists already', v_taken using
      errcode = 'MR025',
      detail = 'The engine makes the relation itself and writes what the definition gives.',
      hint = 'Give the derived relation another name, or drop what has it.';
  end if;
  if v_old.id is not null and v_d.target is null then
    -- somebody dropped the relation: it is made again
    perform millrace.drop_relation(v_old);
    delete from millrace.derivation d where d.id = v_old.id;
    v_old := null;
  end if;
  if millrace.is_declared(v_d, v_old) then
    perform millrace.declared_again(v_old.id, v_d.module, v_d.notifies);
    update millrace.derivation d
      set debounce = v_d.debounce, max_wait = v_d.max_wait, max_duty = v_d.max_duty,
        arguments = v_d.arguments
      where d.id = v_old.id and d.arguments <> v_d.arguments;
    perform millrace.renew_logs();
    if v_old.kept and v_old.strategy = 'incremental' then
      -- while they are not kept the definition gives everything, and a rebuild makes them anew
      perform millrace.make_views(v_old);
    end if;
    perform millrace.dress(v_old.id);
    return v_old.name;
  end if;
  if v_old.id is not null then
    perform millrace.lock_relation(v_old.id);
  end if;
  perform millrace.check_circle(v_d.name, v_d.target, array(
    select m.source from unnest(v_mappings) m) || v_upstream);

  perform millrace.lock_tables(array(select m.source from unnest(v_mappings) m), array(
    select m.source from millrace.mapping m
    where m.derivation = v_old.id and m.source not in (select n.source from unnest(v_mappings) n)
    union
    select s.log
    from millrace.source s
    join unnest(v_mappings) m on m.source = s.relation
    where not s.columns @> m.columns
    union
    -- an index of it, or the log itself, is needed no more
    select s.log
    from millrace.source s
    join millrace.mapping m on m.source = s.relation
    where m.derivation = v_old.id and not exists (
      select from unnest(v_mappings) n
      where n.source = m.source and n.key_columns is not distinct from m.key_columns
    )
    union
    select v_old.work where v_old.id is not null
  ), millrace.live_views(v_d.name));
  perform millrace.add_sources(array(select m.source from unnest(v_mappings) m));
  v_d.id := millrace.register_relation(v_d, v_old, v_definition);
  perform millrace.set_mappings(v_d.id, v_mappings, v_upstream);
  select d.* into v_d from millrace.derivation d where d.id = v_d.id;
  if v_d.strategy = 'incremental' then
    perform millrace.check_keyed(v_d, v_definition);
    perform millrace.check_key_rows(v_definition, v_d.target_key);
  end if;
  if v_old.id is null then
    perform millrace.make_views(v_d);
  end if;
  perform millrace.hand_over(v_d);
  if not millrace.rebuild_if_small(v_d.id) then
    perform millrace.dress(v_d.id);
  end if;
  return v_d.name;
end
$$;

comment on function millrace.materialize(
  text, text, text[], text, jsonb, interval, interval, double precision, boolean
) is
  'Declares a relation that is kept equal to a view: key by key (incremental, with sources that map'
  ' changes to keys and a _live view), or as a materialized view (refresh). Returns its name. '
  'Errors: MR001 to MR029.';
