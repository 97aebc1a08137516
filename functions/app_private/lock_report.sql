/*
 * A report, locked: moderators who decide on it at the same time take turns.
 */
create or replace function app_private.lock_report(report_id bigint)
  returns app_public.report
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_report app_public.report;
begin
  select r.* into v_report from app_public.report r
    where r.id = lock_report.report_id for no key update;
  if not found then
    raise exception 'There is no such report' using
      errcode = 'AC020',
      detail = pg_catalog.format('report %s', lock_report.report_id),
      hint = 'Reload the list of reports.';
  end if;
  return v_report;
end
$$;

comment on function app_private.lock_report(bigint) is
  'The report, locked; AC020 where there is none.';
