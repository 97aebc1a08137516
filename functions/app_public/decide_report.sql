/*
 * Upholds a report or dismisses it, or opens a decided one again. What follows from an upheld one
 * (a suspension, a deletion) is done by the functions for that. The same decision again changes
 * nothing; another one has to be opened first. Two moderators at once take turns.
 */
create or replace function app_public.decide_report(
  report_id bigint, decision app_public.report_decision, note text default ''
)
  returns app_public.report
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_moderator_id constant bigint := app_hidden.require_moderator();
  v_report app_public.report := app_private.lock_report(decide_report.report_id);
  v_state constant app_public.report_state := case decide_report.decision
    when 'uphold' then 'upheld' when 'dismiss' then 'dismissed' when 'reopen' then 'open' end;
begin
  if v_state is null then
    raise exception 'No decision was given' using
      errcode = 'AC021',
      detail = pg_catalog.format('report %s', v_report.id),
      hint = 'Uphold it, dismiss it, or open it again.';
  end if;
  if v_report.state = v_state then
    return v_report;
  end if;
  if v_report.state in ('upheld', 'dismissed') and v_state <> 'open' then
    perform app_private.refuse_decided_report(v_report);
  end if;
  return app_private.move_report(v_report.id, v_moderator_id, v_state, decide_report.note);
end
$$;

comment on function app_public.decide_report(bigint, app_public.report_decision, text) is
  'Upholds or dismisses a report, or opens it again. For moderators.';

grant execute on function app_public.decide_report(bigint, app_public.report_decision, text)
  to app_anonymous, app_account, app_moderator;
