/*
 * A log as generated SQL looks rows up in it: those that may be undrained; log_id is the row's
 * place. since is where it finds how far drains have come: the common table expression of
 * undrained_sql, which is evaluated once for all logs, or the view itself, where Postgres has to
 * see through to the log.
 *
 * The log of an older engine has all of its rows until a declaration is repeated.
 */
create or replace function millrace.open_log_sql(
  relation regclass, since text default 'undrained'
)
  returns text
  language sql
  stable
  strict
  set search_path to ''
return (
  select format(
    case
      when exists (
        select from pg_catalog.pg_attribute a
        where a.attrelid = to_regclass(format('millrace_log.%I', n.log))
          and a.attname = 'recorded_in' and not a.attisdropped
      ) then
        E'(\n'
        '  select l.ctid as log_id, l.*\n'
        '  from millrace_log.%I l\n'
        '  where l.recorded_in >= (select u.since from %s u)\n'
        ')'
      else '(select l.ctid as log_id, l.* from millrace_log.%I l)'
    end,
    n.log, open_log_sql.since)
  from (select millrace.generated_name(open_log_sql.relation) as log) n
);

comment on function millrace.open_log_sql(regclass, text) is
  'The rows of a log that may be undrained, as SQL.';
