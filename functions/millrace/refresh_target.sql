/*
 * Brings what all derivations of a target share up to them, or takes it away with the last: the carry table, for
 * deltas of rows that somebody holds locked; the trigger that refuses to change a key; the trigger that notes
 * statements that write a derived column past the engine; and, unless foreign keys make it needless, the log of rows
 * that appeared after what counts for them.
 */
create or replace function millrace.refresh_target(target regclass)
  returns void
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_target constant text := millrace.qualified_name(refresh_target.target);
  v_carry constant text := format('millrace_log.%I', millrace.generated_name(refresh_target.target, '__carry'));
  v_new constant text := format('millrace_log.%I', millrace.generated_name(refresh_target.target, '__new'));
  v_note constant text := format('millrace_log.%I', millrace.generated_name(refresh_target.target, '__note_new'));
  v_columns constant name[] := array(
    select d.target_column from millrace.derivation d where d.target = refresh_target.target order by d.target_column
  );
  v_column name;
  v_key constant name[] := millrace.primary_key(refresh_target.target);
  v_key_types constant text := (
    select string_agg(format('%I %s not null', k.name, millrace.column_type(refresh_target.target, k.name)), ', '
      order by k.position)
    from unnest(v_key) with ordinality k(name, position)
  );
begin
  for v_column in
    select t.tgname from pg_catalog.pg_trigger t
    where t.tgrelid = refresh_target.target
      and t.tgfoid = 'millrace.tg_target__note_direct_write()'::regprocedure
      and not exists (select from unnest(v_columns) c(name) where t.tgname = left('_900_millrace_note_' || c.name, 63))
  loop
    execute format('drop trigger %I on %s', v_column, v_target);
  end loop;
  if cardinality(v_columns) = 0 then
    if v_target is not null then
      execute format('drop trigger if exists _100_millrace_key on %s', v_target);
      execute format('drop trigger if exists _900_millrace_new on %s', v_target);
    end if;
    execute format('drop function if exists %s()', v_note);
    execute format('drop table if exists %s', v_new);
    execute format('drop table if exists %s', v_carry);
    return;
  end if;

  if to_regclass(v_carry) is null then
    execute format('create table %s (column_name name not null, %s, delta numeric not null)', v_carry, v_key_types);
    execute format('create index %I on %s (%s)',
      millrace.generated_name(refresh_target.target, '__carry_idx'), v_carry, millrace.list(v_key));
    execute format('comment on table %s is %L', v_carry,
      format('Deltas of rows of %s that were locked when a drain came; the next one adds them.', v_target));
  end if;
  execute format(
    'create or replace trigger _100_millrace_key before update of %s on %s for each row when (%s) '
    'execute function millrace.tg_target__refuse_key_change()',
    millrace.list(v_key), v_target, millrace.list(v_key, 'old.%1$I is distinct from new.%1$I', ' or '));
  foreach v_column in array v_columns loop
    execute format(
      'create or replace trigger %I after update of %I on %s for each statement '
      'when (current_setting(''millrace.writer'', true) is distinct from ''engine'') '
      'execute function millrace.tg_target__note_direct_write(%L)',
      left('_900_millrace_note_' || v_column, 63), v_column, v_target, v_column);
  end loop;

  if exists (
    select from millrace.derivation d where d.target = refresh_target.target and not d.guarded
  ) then
    if to_regclass(v_new) is null then
      execute format('create table %s (%s)', v_new, v_key_types);
      execute format('create index %I on %s (%s)',
        millrace.generated_name(refresh_target.target, '__new_idx'), v_new, millrace.list(v_key));
      execute format('comment on table %s is %L', v_new,
        format('New rows of %s, until a drain has counted what was there before them.', v_target));
    end if;
    execute format(
      E'create or replace function %1$s()\n  returns trigger\n  language plpgsql\n  security definer\n'
      '  set search_path to pg_catalog, pg_temp\nas $trigger$\nbegin\n'
      '  insert into %2$s (%3$s) select %3$s from new_rows;\n  return null;\nend\n$trigger$',
      v_note, v_new, millrace.list(v_key));
    execute format('revoke all on function %s() from public', v_note);
    execute format(
      'create or replace trigger _900_millrace_new after insert on %s referencing new table as new_rows '
      'for each statement execute function %s()', v_target, v_note);
  else
    execute format('drop trigger if exists _900_millrace_new on %s', v_target);
    execute format('drop function if exists %s()', v_note);
    execute format('drop table if exists %s', v_new);
  end if;
end
$$;

comment on function millrace.refresh_target(regclass) is
  'Makes, extends or drops what the derivations of a target share.';
