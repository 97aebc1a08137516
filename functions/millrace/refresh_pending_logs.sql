/*
 * Generates millrace_log.pending_logs(): which of the engine's logs hold rows, in one cached
 * statement over all of them, so that a drain with nothing to do costs microseconds however many
 * logs there are. Beside the logs of the sources these are, for each target, the carry table and
 * the log of keys to be counted afresh. Likewise millrace_log.waiting_derivations(): for which
 * derivations keys wait.
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
      join (values ('__carry'), ('__recount')) x(suffix) on d.kind = 'counter'
    ) l
  );
  v_works constant text := (
    select string_agg(
      format('case when exists (select from %s) then %s::bigint end',
        millrace.qualified_name(d.work), d.id),
      E',\n    ' order by d.id)
    from millrace.derivation d
    join pg_catalog.pg_class c on c.oid = d.work
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
  execute format(
    E'create or replace function millrace_log.waiting_derivations()\n'
    '  returns bigint[]\n'
    '  language plpgsql\n'
    '  stable\n'
    '  set search_path to pg_catalog, pg_temp\n'
    'as $waiting$\n'
    'begin\n'
    '  return array_remove(array[\n'
    '    %s\n'
    '  ]::bigint[], null);\n'
    'end\n'
    '$waiting$',
    coalesce(v_works, ''));
  execute 'revoke all on function millrace_log.waiting_derivations() from public';
end
$$;

comment on function millrace.refresh_pending_logs() is
  'Generates the functions that tell which logs hold rows and for whom keys wait.';
