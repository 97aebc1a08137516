/*
 * A declaration that says what it said before: only its file, and whether changes are announced,
 * may be new.
 */
create or replace function millrace.declared_again(id bigint, module text, notifies boolean)
  returns void
  language plpgsql
  volatile
  set search_path to ''
as $$
begin
  update millrace.derivation d
    set stale_declaration = false, module = declared_again.module,
      notifies = declared_again.notifies
    where d.id = declared_again.id and (
      d.stale_declaration
      or d.module is distinct from declared_again.module
      or d.notifies <> declared_again.notifies
    );
end
$$;

comment on function millrace.declared_again(bigint, text, boolean) is
  'Notes that a declaration was repeated without a change.';
