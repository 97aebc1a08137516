/*
 * The four statement-level triggers that log a table. Each appends in one statement and does
 * nothing else: it reads no other table, locks nothing, sends nothing, so two writers never wait
 * for each other here.
 *
 * An update appends what the two images have not in common (except all compares them as multisets,
 * so a row that only changed elsewhere appends nothing; it needs no key to pair old and new).
 * Definitions may read columns that nobody needs to see in the log, long texts for example: those
 * are compared (as text where their type has no equality), not copied. A log without any column,
 * because views are only refreshed from the table, gets one row for each statement.
 * Truncate has no transition tables: its trigger runs before and appends the image of every row,
 * under the table's exclusive lock.
 */
create or replace function millrace.trigger_sql(
  source regclass, columns name[], compared name[]
)
  returns table (trigger_name name, trigger_sql text, function_name text, function_sql text)
  language sql
  stable
  set search_path to ''
begin atomic
  select
    '_900_millrace_' || o.operation,
    format(
      E'create trigger _900_millrace_%s %s on %s\n'
      '  %sfor each statement execute function %s()',
      o.operation,
      o.event_sql,
      millrace.qualified_name(trigger_sql.source),
      o.referencing_sql,
      f.function_name),
    f.function_name,
    format(
      E'create or replace function %s()\n'
      '  returns trigger\n'
      '  language plpgsql\n'
      '  security definer\n'
      '  set search_path to pg_catalog, pg_temp\n'
      '%s'
      'as $trigger$\n'
      'begin\n'
      '%s'
      '  return null;\n'
      'end\n'
      '$trigger$',
      f.function_name,
      case o.operation when 'truncate' then E'  set row_security to off\n' else '' end,
      o.body_sql)
  from (
    select
      'millrace_log.' || quote_ident(millrace.generated_name(trigger_sql.source)) as log,
      millrace.qualified_name(trigger_sql.source) as source,
      millrace.list(trigger_sql.columns) as columns,
      millrace.comma('sign', millrace.list(trigger_sql.columns)) as logged,
      (
        select coalesce(string_agg(
          case
            when c.name = any (trigger_sql.columns)
              or millrace.has_equality(trigger_sql.source, c.name)
            then quote_ident(c.name)
            else format('%1$I::text as %1$I', c.name)
          end, ', ' order by c.position), '')
        from unnest(trigger_sql.compared) with ordinality c(name, position)
      ) as compared,
      case when trigger_sql.columns = '{}' then ' limit 1' else '' end as limit_sql
  ) n
  cross join lateral (
    values
      ('insert', 'after insert', 'referencing new table as new_rows ', format(
        E'  insert into %s (%s)\n'
        '  select %s from new_rows%s;\n',
        n.log, n.logged, millrace.comma('1', n.columns), n.limit_sql)),
      ('update', 'after update', 'referencing old table as old_rows new table as new_rows ', format(
        case
          when n.compared = n.columns then
            E'  insert into %1$s (%2$s)\n'
            '  (select %3$s from old_rows except all select %3$s from new_rows)\n'
            '  union all\n'
            '  (select %4$s from new_rows except all select %4$s from old_rows);\n'
          else
            E'  insert into %1$s (%2$s)\n'
            '  select %3$s from (\n'
            '    select %5$s from old_rows except all select %5$s from new_rows\n'
            '  ) gone\n'
            '  union all\n'
            '  select %4$s from (\n'
            '    select %5$s from new_rows except all select %5$s from old_rows\n'
            '  ) come%6$s;\n'
        end,
        n.log, n.logged, millrace.comma('-1', n.columns), millrace.comma('1', n.columns),
        n.compared, n.limit_sql)),
      ('delete', 'after delete', 'referencing old table as old_rows ', format(
        E'  insert into %s (%s)\n'
        '  select %s from old_rows%s;\n',
        n.log, n.logged, millrace.comma('-1', n.columns), n.limit_sql)),
      ('truncate', 'before truncate', '', format(
        E'  if current_setting(''transaction_isolation'') <> ''read committed'' then\n'
        '    raise exception ''A truncate of %% can only be counted in read committed'',\n'
        '      %6$L using\n'
        '      errcode = ''MR020'',\n'
        '      detail = ''In this isolation level the transaction may not see all rows that it '
        'removes.'',\n'
        '      hint = ''Truncate in a read committed transaction, or delete the rows.'';\n'
        '  end if;\n'
        '  insert into %1$s (%2$s)\n'
        '  select %4$s from %3$s%5$s;\n',
        n.log, n.logged, n.source, millrace.comma('-1', n.columns), n.limit_sql, n.source))
  ) o(operation, event_sql, referencing_sql, body_sql)
  cross join lateral (
    select 'millrace_log.' || quote_ident(
      millrace.generated_name(trigger_sql.source, '__' || o.operation)) as function_name
  ) f;
end;

comment on function millrace.trigger_sql(regclass, name[], name[]) is
  'The triggers that log a table, and their functions, as SQL.';
