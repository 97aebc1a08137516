/*
 * The writing half of app_public.create_report: in the name of the account of the request, whatever
 * it is given.
 */
create or replace function app_hidden.file_report(
  subject app_public.report_subject, subject_id bigint, account_id bigint, content text, reason text
)
  returns app_public.report
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_reporter_id constant bigint := app_hidden.require_account();
  v_report app_public.report;
begin
  insert into app_public.report (reporter_id, account_id, subject, subject_id, content, reason)
    values (
      v_reporter_id, file_report.account_id, file_report.subject, file_report.subject_id,
      file_report.content, file_report.reason
    )
    on conflict (reporter_id, subject, subject_id) where state in ('open', 'reviewing') do nothing
    returning * into v_report;
  if not found then
    select r.* into v_report from app_public.report r
      where r.reporter_id = v_reporter_id and r.subject = file_report.subject
        and r.subject_id = file_report.subject_id and r.state in ('open', 'reviewing');
  end if;
  return v_report;
end
$$;

comment on function app_hidden.file_report(app_public.report_subject, bigint, bigint, text, text) is
  'Files a report in the name of the account of the request.';

grant execute on function
  app_hidden.file_report(app_public.report_subject, bigint, bigint, text, text)
  to app_anonymous, app_account, app_moderator;
