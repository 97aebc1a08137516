/*
 * Refuses tables of which the engine's owner may not see all rows, or not change all of them: a
 * recount would take a part for the truth. Row level security passes over a table's owner, unless
 * it is forced, over members of it, superusers and whoever has bypassrls.
 *
 * What is switched on later is met by `set row_security to off` on all that reads rows to count or
 * compute: Postgres then raises 42501 instead of leaving rows out, so that the derivation fails.
 */
create or replace function millrace.check_visible(relation regclass)
  returns void
  language plpgsql
  stable
  set search_path to ''
as $$
declare
  v_table record;
begin
  select c.relforcerowsecurity as is_forced, pg_get_userbyid(c.relowner) as owner
    into v_table
    from pg_catalog.pg_class c
    join pg_catalog.pg_roles o on o.oid = millrace.owner()::oid
    where c.oid = check_visible.relation and not o.rolbypassrls and not o.rolsuper
      and (
        c.relforcerowsecurity
        or c.relrowsecurity and not pg_has_role(o.oid, c.relowner, 'usage')
      );
  if found then
    raise exception 'Row level security is % %',
      case when v_table.is_forced then 'forced on' else 'in the engine''s way on' end,
      check_visible.relation using
      errcode = 'MR016',
      detail = format('%s, with whose rights the engine counts, may see only a part of the rows.',
        millrace.owner()),
      hint = case
        when v_table.is_forced
        then format('alter table %s no force row level security;', check_visible.relation)
        else format('Make it a member of the table''s owner: grant %I to %s; or give it bypassrls.',
          v_table.owner, millrace.owner())
      end;
  end if;
end
$$;

comment on function millrace.check_visible(regclass) is
  'Refuses a table with rows that the engine''s owner may not see: MR016.';
