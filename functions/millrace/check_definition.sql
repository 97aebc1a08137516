/*
 * Refuses definitions that no change of a row could keep fresh: those that depend on the moment, on
 * who asks or on chance, those that call functions of which the catalog does not tell what they
 * read, and those that read what no trigger tells of: Postgres' own catalogs, system columns.
 */
create or replace function millrace.check_definition(definition regclass)
  returns void
  language plpgsql
  stable
  set search_path to ''
as $$
declare
  v_view regclass;
  v_tree text;
  v_function text;
  v_catalog text;
begin
  for v_view, v_tree in
    select v.relation, r.ev_action::text
    from millrace.definition_views(check_definition.definition) v(relation)
    join pg_catalog.pg_rewrite r on r.ev_class = v.relation
    join pg_catalog.pg_class c on c.oid = v.relation
    -- the engine's own views are refused as that (MR027)
    where c.relnamespace not in ('millrace'::regnamespace, 'millrace_log'::regnamespace)
      and not exists (
        select from millrace.derivation d where v.relation = any (millrace.live_views(d.name))
      )
  loop
    select p.oid::regprocedure::text into v_function
      from regexp_matches(v_tree, ':(?:funcid|opfuncid|aggfnoid|winfnoid) (\d+)', 'g') m(ids)
      join pg_catalog.pg_proc p on p.oid = m.ids[1]::oid
      where p.provolatile = 'v'
        or p.provolatile = 's' and p.pronamespace <> 'pg_catalog'::regnamespace
        or p.pronamespace = 'pg_catalog'::regnamespace and (
          p.proname in (
            'now', 'transaction_timestamp', 'statement_timestamp', 'current_setting',
            'current_database', 'current_schema', 'current_schemas', 'pg_has_role',
            'pg_current_snapshot', 'txid_current_snapshot')
          or p.proname = 'age' and p.pronargs = 1 and p.proargtypes[0] <> 'xid'::regtype
        )
      limit 1;
    if v_function is null and v_tree ~ '\{(SQLVALUEFUNCTION|NEXTVALUEEXPR|TABLESAMPLECLAUSE)' then
      v_function := 'a function of the current moment, user or chance';
    end if;
    if v_function is null then
      select c.oid::regclass::text into v_catalog
        from regexp_matches(v_tree, ':relid (\d+)', 'g') m(ids)
        join pg_catalog.pg_class c on c.oid = m.ids[1]::oid
        where c.relnamespace in ('pg_catalog'::regnamespace, 'pg_toast'::regnamespace)
        limit 1;
      if v_catalog is null and v_tree ~ ':varattno -\d' then
        v_catalog := 'a system column, such as ctid or tableoid';
      end if;
    end if;
    if v_catalog is not null then
      raise exception 'The definition % cannot be kept: it reads %',
        check_definition.definition, v_catalog using
        errcode = 'MR026',
        detail = format('Found in the view %s. No trigger tells when it changes.', v_view),
        hint = 'Read tables and their own columns.';
    end if;
    if v_function is not null then
      raise exception 'The definition % cannot be kept: it calls %',
        check_definition.definition, v_function using
        errcode = 'MR026',
        detail = format('Found in the view %s. No change of a row tells when its result changes.',
          v_view),
        hint = 'Store what depends on time in a column, or work it out where the relation is read; '
          'make functions immutable, or write their SQL into the view.';
    end if;
  end loop;
end
$$;

comment on function millrace.check_definition(regclass) is
  'Refuses a definition that depends on more than rows: MR026.';
