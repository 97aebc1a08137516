/*
 * Puts the new definition in the place of the old one. Where its columns allow it the engine's copy
 * is replaced, so that what hangs on the live view stays.
 */
create or replace function millrace.swap_definition(derivation millrace.derivation)
  returns void
  language plpgsql
  volatile
  set search_path to ''
  set client_min_messages to warning
as $$
declare
  v_names constant record := millrace.relation_names((swap_definition.derivation).name);
begin
  begin
    execute format(E'create or replace view %s as\n%s',
      v_names.definition, pg_get_viewdef(v_names.next_definition::regclass));
    execute format('drop view %s', v_names.next_definition);
  exception when invalid_table_definition then
    perform millrace.drop_live((swap_definition.derivation).name);
    execute format('drop view %s', v_names.definition);
    execute format('alter view %s rename to %s',
      v_names.next_definition, split_part(v_names.definition, '.', 2));
  end;
end
$$;

comment on function millrace.swap_definition(millrace.derivation) is
  'Puts the new definition of a derived relation in the place of the old one.';
