/*
 * Generates millrace_log.pending_logs(): which of the engine's logs hold rows, in one cached
 * statement over all of them, so that a drain with nothing to do costs microseconds however many
 * logs there are. Beside the logs of the sources these are, for each target, the carry table and
 * the log of keys to be counted afresh.
 */
create or replace function millrace.refresh_pending_logs()
  returns void
  language plpgsql
  volatile
  set search_path to ''
as $$
declare
  v_logs constant text := (
    select string_agg(
      format('case when exists (select from %s) then %L::regclass end', l.log, l.log),
      E',\n    ' order by l.log)
    from (
      select millrace.qualified_name(s.log) as log from millrace.source s
      union
      select format('millrace_log.%I', millrace.generated_name(d.target, x.suffix))
      from millrace.derivation d
      cross join (values ('__carry'), ('__recount')) x(suffix)
    ) l
  );
begin
  execute format(
    E'create or replace function millrace_log.pending_logs()\n'
    '  returns regclass[]\n'
    '  language plpgsql\n'
    '  stable\n'
    '  set search_path to pg_catalog, pg_temp\n'
    'as $pending$\n'
    'begin\n'
    '  return array_remove(array[\n'
    '    %s\n'
    '  ]::regclass[], null);\n'
    'end\n'
    '$pending$',
    coalesce(v_logs, ''));
  execute 'revoke all on function millrace_log.pending_logs() from public';
end
$$;

comment on function millrace.refresh_pending_logs() is
  'Generates the function that tells which logs hold rows.';
