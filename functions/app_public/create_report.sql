/*
 * Reports something to the moderators. Of one thing a reporter has one report at a time: sent again
 * while that is undecided, it returns that one. A suspended account may report too.
 *
 * What is reported is read under the caller's rights (app_hidden.reported), and the report written
 * by app_hidden.file_report, because API roles write none.
 */
create or replace function app_public.create_report(
  subject app_public.report_subject, subject_id bigint, reason text
)
  returns app_public.report
  language plpgsql
  volatile
  security invoker
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_account_id constant bigint := app_hidden.require_account();
  v_reason constant text :=
    app_hidden.require_text(create_report.reason, 'reason', 1, 2000, 'AC019');
  v_thing constant app_hidden.reported_thing :=
    app_hidden.reported(create_report.subject, create_report.subject_id);
begin
  if v_thing.account_id is null then
    raise exception 'There is nothing to report' using
      errcode = 'AC017',
      detail = pg_catalog.format('%s %s', create_report.subject, create_report.subject_id),
      hint = 'It may have been deleted: reload the list.';
  end if;
  if v_thing.account_id = v_account_id then
    raise exception 'You cannot report yourself' using
      errcode = 'AC018',
      detail = pg_catalog.format('%s %s', create_report.subject, create_report.subject_id),
      hint = 'Delete what you do not want to be there.';
  end if;
  return app_hidden.file_report(
    create_report.subject, create_report.subject_id, v_thing.account_id,
    pg_catalog.left(v_thing.content, 5000), v_reason);
end
$$;

comment on function app_public.create_report(app_public.report_subject, bigint, text) is
  'Reports an account, or what somebody wrote, to the moderators.';

grant execute on function app_public.create_report(app_public.report_subject, bigint, text)
  to app_anonymous, app_account, app_moderator;
