/*
 * Refuses to decide what is decided.
 */
create or replace function app_private.refuse_decided_report(report app_public.report)
  returns void
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
#variable_conflict use_column
begin
  raise exception 'This report is decided already' using
    errcode = 'AC022',
    detail = pg_catalog.format('report %s: %s at %s', (refuse_decided_report.report).id,
      (refuse_decided_report.report).state, (refuse_decided_report.report).decided_at),
    hint = 'Open it again first.';
end
$$;

comment on function app_private.refuse_decided_report(app_public.report) is
  'AC022, whatever the report.';
