/*
 * The columns that the SQL of a declaration reads, as Postgres' own parser sees them: the SQL is
 * made a view, and the view's dependencies are the answer. Also refuses what cannot be kept exact
 * by adding and subtracting images of rows: SQL that is not immutable over its row, looks into
 * other tables, or reads whole rows or system columns. Nobody sees the view: it is dropped again
 * before the function returns.
 */
create or replace function millrace.read_columns(
  what text, expression text, from_sql text, source regclass, through regclass,
  out source_columns name[], out through_columns name[], out type_name text
)
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_cursor refcursor;
  v_tree text;
  v_function text;
begin
  begin
    -- a cursor takes one statement only: whatever else the text holds is refused before it runs
    open v_cursor for execute format(
      E'select (%s\n) as expression from %s limit 0',
      read_columns.expression, read_columns.from_sql);
    close v_cursor;
    execute format(
      E'create view millrace_log.declared_expression as\nselect (%s\n) as expression from %s',
      read_columns.expression, read_columns.from_sql);
  exception
    when syntax_error_or_access_rule_violation or data_exception or feature_not_supported
  then
    raise exception 'The % cannot be used: %', read_columns.what, sqlerrm using
      errcode = 'MR006',
      detail = format('%s: %s', read_columns.what, read_columns.expression),
      hint = format('It is SQL over: %s. Qualify functions and types with their schema.',
        read_columns.from_sql);
  end;
  select r.ev_action::text into v_tree
    from pg_catalog.pg_rewrite r where r.ev_class = 'millrace_log.declared_expression'::regclass;
  select p.oid::regprocedure::text into v_function
    from regexp_matches(v_tree, ':(?:funcid|opfuncid) (\d+)', 'g') m(ids)
    join pg_catalog.pg_proc p on p.oid = m.ids[1]::oid
    where p.provolatile <> 'i'
    limit 1;
  if v_function is null then
    -- a cast by way of text has no function of its own in the tree, but those of its two types
    select format('the text form of %s', format_type(t.oid, null)) into v_function
      from (
        select m.ids[1]::oid as type from regexp_matches(v_tree,
          '\{COERCEVIAIO :arg \{\w+ [^{}]*?:'
          '(?:vartype|consttype|funcresulttype|opresulttype|resulttype) (\d+)',
          'g') m(ids)
        union
        select m.ids[1]::oid from regexp_matches(v_tree,
          '\{COERCEVIAIO :arg \{[^{}]*\} :resulttype (\d+)', 'g') m(ids)
      ) casts
      join pg_catalog.pg_type t on t.oid = casts.type and t.typtype <> 'e'
      where exists (
        select from pg_catalog.pg_proc p
        where p.oid in (t.typinput, t.typoutput) and p.provolatile <> 'i'
      )
      limit 1;
  end if;
  if v_function is null and v_tree ~ '\{(SQLVALUEFUNCTION|NEXTVALUEEXPR)' then
    v_function := 'a function of the current moment or user';
  end if;
  if v_function is not null then
    raise exception 'The % is not immutable: it calls %', read_columns.what, v_function using
      errcode = 'MR007',
      detail = format('%s: %s', read_columns.what, read_columns.expression),
      hint = 'A row must count the same whenever it is looked at. Store what depends on time in a '
        'column.';
  end if;
  if v_tree ~ ':has(Aggs|WindowFuncs|TargetSRFs|SubLinks) true|:varattno (0|-\d+)\M' then
    raise exception 'The % reads more than columns of its own rows', read_columns.what using
      errcode = 'MR007',
      detail = format('%s: %s', read_columns.what, read_columns.expression),
      hint = 'Aggregates, subqueries, whole rows and system columns have no image in a log; name '
        'single columns.';
  end if;
  select
    coalesce(array_agg(distinct a.attname) filter (where d.refobjid = read_columns.source), '{}'),
    coalesce(array_agg(distinct a.attname) filter (where d.refobjid = read_columns.through), '{}')
    into source_columns, through_columns
    from pg_catalog.pg_rewrite r
    join pg_catalog.pg_depend d
      on d.objid = r.oid and d.classid = 'pg_catalog.pg_rewrite'::regclass
      and d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjsubid > 0
    join pg_catalog.pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
    where r.ev_class = 'millrace_log.declared_expression'::regclass;
  select format_type(a.atttypid, a.atttypmod) into type_name
    from pg_catalog.pg_attribute a
    where a.attrelid = 'millrace_log.declared_expression'::regclass and a.attnum = 1;
  drop view millrace_log.declared_expression;
end
$$;

comment on function millrace.read_columns(text, text, text, regclass, regclass) is
  'The columns that an expression of a declaration reads, and its type; MR006, MR007 for SQL that'
  ' cannot be used.';
