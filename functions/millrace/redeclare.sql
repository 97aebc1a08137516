/*
 * Repeats every declaration as it was made, the oldest first, for a new version of the engine:
 * what it generates differently is made anew. Where declarations stand in files, applying the files
 * again does the same; in a database with nothing but the engine nobody has them.
 *
 * A table that was renamed since is named as it is called now.
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
begin
  perform millrace.lock_engine();
  for v_d in
    select d.* from millrace.derivation d order by d.id
  loop
    perform set_config('millrace.module', coalesce(v_d.module, ''), true);
    return next millrace.counter(
      format('%s.%I', millrace.qualified_name(v_d.target), v_d.target_column),
      source => case
        when to_regclass(v_d.arguments ->> 'source') = v_d.source then v_d.arguments ->> 'source'
        else millrace.qualified_name(v_d.source)
      end,
      key => array(select jsonb_array_elements_text(v_d.arguments -> 'key')),
      filter => v_d.arguments ->> 'filter',
      value => v_d.arguments ->> 'value',
      through => case
        when to_regclass(v_d.arguments ->> 'through') = v_d.through
          then v_d.arguments ->> 'through'
        else millrace.qualified_name(v_d.through)
      end,
      distinct_on => case jsonb_typeof(v_d.arguments -> 'distinct_on')
        when 'array' then array(
          select jsonb_array_elements_text(v_d.arguments -> 'distinct_on')
        )
      end);
  end loop;
  perform set_config('millrace.module', v_module, true);
end
$$;

comment on function millrace.redeclare() is
  'Repeats every declaration, for a new version of the engine; returns their names.';
