/*
 * Takes an open report up, so that other moderators see that somebody does. One that is being
 * reviewed already stays as it is.
 */
create or replace function app_public.review_report(report_id bigint, note text default '')
  returns app_public.report
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_moderator_id constant bigint := app_hidden.require_moderator();
  v_report app_public.report := app_private.lock_report(review_report.report_id);
begin
  if v_report.state = 'reviewing' then
    return v_report;
  end if;
  if v_report.state <> 'open' then
    perform app_private.refuse_decided_report(v_report);
  end if;
  return app_private.move_report(v_report.id, v_moderator_id, 'reviewing', review_report.note);
end
$$;

comment on function app_public.review_report(bigint, text) is
  'Takes a report up. For moderators.';

grant execute on function app_public.review_report(bigint, text)
  to app_anonymous, app_account, app_moderator;
