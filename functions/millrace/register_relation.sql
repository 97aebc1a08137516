/*
 * Makes what a declared relation consists of, without its rows: the relation itself, the engine's
 * copy of the definition, the table of waiting keys. Where the relation exists, the new definition
 * is put beside the old one, which goes on defining what is stored and read until rebuild has made
 * the new rows; meanwhile stored rows stay as they are and live reads compute everything.
 *
 * Because of the copy a definition may be changed, or its view dropped and made again, while the
 * relation stays the image of one definition.
 */
create or replace function millrace.register_relation(
  declared millrace.derivation, old millrace.derivation, definition regclass
)
  returns bigint
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_d millrace.derivation := register_relation.declared;
  v_old constant millrace.derivation := register_relation.old;
  v_names constant record := millrace.relation_names(v_d.name);
  v_text constant text := millrace.definition_text(v_d.name, register_relation.definition);
begin
  if v_old.id is null then
    execute format(E'create view %s as\n%s', v_names.definition, v_text);
    v_d.target := millrace.make_relation(
      v_d, format('%I.%I', split_part(v_d.name, '.', 1),
        substr(v_d.name, strpos(v_d.name, '.') + 1)), v_names.definition, false);
  else
    if to_regclass(v_names.exact) is not null then
      execute format(E'create or replace view %s as\nselect %s from %s',
        v_names.exact, millrace.list(v_old.columns), v_names.definition);
      execute format('comment on view %s is null', v_names.exact);
    end if;
    execute format('drop view if exists %s', v_names.dirty);
    execute format('drop view if exists %s', v_names.next_definition);
    execute format('drop table if exists %s', v_names.work);
    execute format(E'create view %s as\n%s', v_names.next_definition, v_text);
  end if;
  v_d.work := case v_d.strategy
    when 'refresh' then millrace.make_work(v_d.name, '{}', '{}', false)
    else millrace.make_work(v_d.name, v_d.target_key, array(
      select millrace.column_definition(register_relation.definition, k.name)
      from unnest(v_d.target_key) with ordinality k(name, position) order by k.position), true)
  end;
  insert into millrace.derivation as d (
    name, kind, strategy, target, target_key, columns, definition, fingerprint, work,
    debounce, max_wait, max_duty, notifies, arguments, module, state, kept
  ) values (
    v_d.name, v_d.kind, v_d.strategy, v_d.target, v_d.target_key, v_d.columns, v_d.definition,
    v_d.fingerprint, v_d.work, v_d.debounce, v_d.max_wait, v_d.max_duty, v_d.notifies,
    v_d.arguments, v_d.module, 'backfilling', false
  )
    on conflict (name) do update set
      strategy = excluded.strategy,
      target_key = excluded.target_key,
      columns = excluded.columns,
      definition = excluded.definition,
      fingerprint = excluded.fingerprint,
      work = excluded.work,
      debounce = excluded.debounce,
      max_wait = excluded.max_wait,
      max_duty = excluded.max_duty,
      notifies = excluded.notifies,
      arguments = excluded.arguments,
      module = excluded.module,
      stale_declaration = false,
      state = 'backfilling',
      kept = false,
      edition = d.edition + 1,
      failures = 0,
      retry_at = null,
      last_error = null,
      last_error_at = null,
      rolling_after = null,
      declared_at = clock_timestamp()
    returning d.id into v_d.id;
  insert into millrace.progress (derivation) values (v_d.id) on conflict (derivation) do nothing;
  insert into millrace.run (derivation, key) values (v_d.id, '[]') on conflict do nothing;
  delete from millrace.failed_key f where f.derivation = v_d.id;
  return v_d.id;
end
$$;

comment on function millrace.register_relation(
  millrace.derivation, millrace.derivation, regclass
) is 'Makes what a declared relation consists of, without its rows.';
