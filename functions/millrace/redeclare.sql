/*
 * Repeats every declaration as it was made, the oldest first, for a new version of the engine:
 * what it generates differently is made anew. Where declarations stand in files, applying the files
 * again does the same; in a database with nothing but the engine nobody has them.
 *
 * Tables and views that were renamed since are named as they are called now. What was paused is
 * paused again.
 */
create or replace function millrace.redeclare()
  returns setof text
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_module constant text := coalesce(current_setting('millrace.module', true), '');
  v_d millrace.derivation;
  v_name text;
begin
  -- the order in which each declaration takes them
  perform millrace.lock_relation(d.id)
    from (
      select d.id from millrace.derivation d where d.kind = 'materialize' order by d.id
    ) d;
  perform millrace.lock_engine();
  perform millrace.forget_vanished();
  for v_d in
    select d.* from millrace.derivation d order by d.id
  loop
    perform set_config('millrace.module', coalesce(v_d.module, ''), true);
    v_name := case v_d.kind
      when 'counter' then millrace.counter(
        format('%s.%I', millrace.qualified_name(v_d.target), v_d.target_column),
        source => millrace.named_now(v_d.arguments ->> 'source', v_d.source),
        key => millrace.text_array(v_d.arguments -> 'key'),
        filter => v_d.arguments ->> 'filter',
        value => v_d.arguments ->> 'value',
        through => millrace.named_now(v_d.arguments ->> 'through', v_d.through),
        distinct_on => millrace.text_array(v_d.arguments -> 'distinct_on'),
        notify => v_d.notifies)
      when 'materialize' then millrace.materialize(
        millrace.qualified_name(v_d.target),
        definition => v_d.arguments ->> 'definition',
        key => millrace.text_array(v_d.arguments -> 'key'),
        strategy => v_d.strategy,
        sources => nullif(v_d.arguments -> 'sources', 'null'),
        debounce => v_d.debounce,
        max_wait => v_d.max_wait,
        max_duty => v_d.max_duty,
        notify => v_d.notifies)
      when 'react' then millrace.react(
        v_d.name,
        source => millrace.named_now(v_d.arguments ->> 'source', (
          select m.source from millrace.mapping m where m.derivation = v_d.id)),
        key => millrace.text_array(v_d.arguments -> 'key'),
        task => v_d.task,
        debounce => v_d.debounce,
        max_wait => v_d.max_wait,
        min_interval => v_d.min_interval,
        filter => v_d.arguments ->> 'filter',
        columns => millrace.text_array(v_d.arguments -> 'columns'))
    end;
    perform millrace.pause(d.name)
      from millrace.derivation d
      where d.name = v_name and v_d.state = 'paused' and d.state <> 'paused';
    return next v_name;
  end loop;
  perform set_config('millrace.module', v_module, true);
end
$$;

comment on function millrace.redeclare() is
  'Repeats every declaration, for a new version of the engine; returns their names.';
