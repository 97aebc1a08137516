/*
 * Makes the stored half of a derived relation: a table with the key as its primary key, or a
 * materialized view with a unique index on it, which a concurrent refresh needs. The materialized
 * view holds the text of the definition and not the view, so that nothing hangs on that.
 */
create or replace function millrace.make_relation(
  derivation millrace.derivation, name text, definition text, populated boolean
)
  returns regclass
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_d constant millrace.derivation := make_relation.derivation;
  v_with constant text := case
    when make_relation.populated then 'with data' else 'with no data'
  end;
  v_relname constant name := (parse_ident(make_relation.name))[2];
  v_key constant text := millrace.list(v_d.target_key);
begin
  if v_d.strategy = 'refresh' then
    execute format(E'create materialized view %s as\n%s\n%s', make_relation.name,
      rtrim(pg_get_viewdef(make_relation.definition::regclass), ';'), v_with);
    execute format('create unique index %I on %s (%s)',
      millrace.fitting_name(concat(v_relname, '_', array_to_string(v_d.target_key, '_'), '_idx')),
      make_relation.name, v_key);
  else
    execute format(E'create table %s as\nselect %s from %s\n%s', make_relation.name,
      millrace.list(v_d.columns), make_relation.definition, v_with);
    execute format(
      E'create trigger _900_millrace_note\n'
      '  after insert or update or delete or truncate on %s\n'
      '  for each statement\n'
      '  when (current_setting(''millrace.writer'', true) is distinct from ''engine'')\n'
      '  execute function millrace.tg_target__note_direct_write(''*'')',
      make_relation.name);
    execute format('alter table %s add constraint %I primary key (%s)',
      make_relation.name, millrace.fitting_name(v_relname || '_pkey'), v_key);
  end if;
  return make_relation.name::regclass;
end
$$;

comment on function millrace.make_relation(millrace.derivation, text, text, boolean) is
  'Makes the table or materialized view of a derived relation.';
