/*
 * Brings what all derivations of a target share up to them, or takes it away with the last: the
 * carry table, for deltas of rows that somebody holds locked; the trigger that refuses to change a
 * key; the triggers that note statements that write a derived column past the engine; and the log
 * of keys to be counted afresh.
 *
 * A row starts at zero, which is right only if nothing that counts for its key is older or still
 * pending. Where foreign keys guard the key (is_guarded) that can only fail for a key that is used
 * again after its row was deleted: there deletes note the key. Elsewhere rows that count may be
 * there before the row: inserts note it.
 */
create or replace function millrace.refresh_target(target regclass)
  returns void
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_target constant text := millrace.qualified_name(refresh_target.target);
  v_carry constant text := format('millrace_log.%I',
    millrace.generated_name(refresh_target.target, '__carry'));
  v_recount constant text := format('millrace_log.%I',
    millrace.generated_name(refresh_target.target, '__recount'));
  v_note constant text := format('millrace_log.%I',
    millrace.generated_name(refresh_target.target, '__note_recount'));
  v_columns constant name[] := array(
    select d.target_column
    from millrace.derivation d
    where d.target = refresh_target.target
    order by d.target_column
  );
  v_guarded constant boolean := not exists (
    select from millrace.derivation d where d.target = refresh_target.target and not d.guarded
  );
  v_key constant name[] := millrace.primary_key(refresh_target.target);
  v_key_list constant text := millrace.list(v_key);
  v_key_types constant text := (
    select string_agg(
      format('%I %s not null', k.name, millrace.column_type(refresh_target.target, k.name)),
      ', ' order by k.position)
    from unnest(v_key) with ordinality k(name, position)
  );
  v_column name;
begin
  if v_target is null and cardinality(v_columns) > 0 then
    -- the table was dropped, and all that is left of these derivations goes with the last of them
    return;
  end if;
  for v_column in
    select t.tgname from pg_catalog.pg_trigger t
    where t.tgrelid = refresh_target.target
      and t.tgfoid = 'millrace.tg_target__note_direct_write()'::regprocedure
      and not exists (
        select from unnest(v_columns) c(name)
        where t.tgname = millrace.fitting_name('_900_millrace_note_' || c.name)
      )
  loop
    execute format('drop trigger %I on %s', v_column, v_target);
  end loop;
  if cardinality(v_columns) = 0 then
    if v_target is not null then
      execute format('drop trigger if exists _100_millrace_key on %s', v_target);
      execute format('drop trigger if exists _900_millrace_recount on %s', v_target);
      execute format('drop trigger if exists _900_millrace_recount_truncate on %s', v_target);
    end if;
    execute format('drop function if exists %s()', v_note);
    execute format('drop table if exists %s', v_recount);
    execute format('drop table if exists %s', v_carry);
    return;
  end if;

  if to_regclass(v_carry) is null then
    execute format('create table %s (column_name name not null, %s, delta numeric not null)',
      v_carry, v_key_types);
    execute format('create index %I on %s (%s)',
      millrace.generated_name(refresh_target.target, '__carry_idx'), v_carry, v_key_list);
    execute format('comment on table %s is %L', v_carry,
      format('Deltas of rows of %s that were locked when a drain came; the next one adds them.',
        v_target));
    execute format('create table %s (%s)', v_recount, v_key_types);
    execute format('create index %I on %s (%s)',
      millrace.generated_name(refresh_target.target, '__recount_idx'), v_recount, v_key_list);
    execute format('comment on table %s is %L', v_recount,
      format('Keys of %s that the next drain counts afresh.', v_target));
  end if;
  execute format(
    E'create or replace trigger _100_millrace_key\n'
    '  before update of %s on %s\n'
    '  for each row when (%s)\n'
    '  execute function millrace.tg_target__refuse_key_change()',
    v_key_list, v_target, millrace.list(v_key, 'old.%1$I is distinct from new.%1$I', ' or '));
  foreach v_column in array v_columns loop
    execute format(
      E'create or replace trigger %I\n'
      '  after update of %I on %s\n'
      '  for each statement\n'
      '  when (current_setting(''millrace.writer'', true) is distinct from ''engine'')\n'
      '  execute function millrace.tg_target__note_direct_write(%L)',
      millrace.fitting_name('_900_millrace_note_' || v_column), v_column, v_target, v_column);
  end loop;

  execute format(
    E'create or replace function %1$s()\n'
    '  returns trigger\n'
    '  language plpgsql\n'
    '  security definer\n'
    '  set search_path to pg_catalog, pg_temp\n'
    'as $trigger$\n'
    'begin\n'
    '  if tg_op = ''TRUNCATE'' then\n'
    '    insert into %2$s (%3$s) select %3$s from %4$s;\n'
    '  else\n'
    '    insert into %2$s (%3$s) select %3$s from noted_rows;\n'
    '  end if;\n'
    '  return null;\n'
    'end\n'
    '$trigger$',
    v_note, v_recount, v_key_list, v_target);
  execute format('revoke all on function %s() from public', v_note);
  execute format(
    E'create or replace trigger _900_millrace_recount\n'
    '  after %s on %s\n'
    '  referencing %s table as noted_rows\n'
    '  for each statement execute function %s()',
    case when v_guarded then 'delete' else 'insert' end,
    v_target,
    case when v_guarded then 'old' else 'new' end,
    v_note);
  execute format(
    E'create or replace trigger _900_millrace_recount_truncate\n'
    '  before truncate on %s\n'
    '  for each statement execute function %s()',
    v_target, v_note);
end
$$;

comment on function millrace.refresh_target(regclass) is
  'Makes, extends or drops what the derivations of a target share.';
