/*
 * Puts a report in a state, and that into its history. A reporter who has reported the same thing
 * again meanwhile has one undecided report already: the older one then stays decided.
 */
create or replace function app_private.move_report(
  report_id bigint, moderator_id bigint, state app_public.report_state, note text
)
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
  if move_report.state = 'open' and exists (
    select from app_public.report r
    join app_public.report o on o.reporter_id = r.reporter_id and o.subject = r.subject
      and o.subject_id = r.subject_id and o.id <> r.id and o.state in ('open', 'reviewing')
    where r.id = move_report.report_id
  ) then
    raise exception 'It has been reported again already' using
      errcode = 'AC022',
      detail = pg_catalog.format('report %s', move_report.report_id),
      hint = 'Decide on the newer report of the same thing.';
  end if;
  update app_public.report r
    set state = move_report.state,
      decided_at = case when move_report.state in ('upheld', 'dismissed') then pg_catalog.now() end
    where r.id = move_report.report_id
    returning r.* into v_report;
  insert into app_public.report_event (report_id, moderator_id, state, note)
    values (
      move_report.report_id, move_report.moderator_id, move_report.state,
      app_hidden.require_text(move_report.note, 'note', 0, 2000, 'AC019')
    );
  return v_report;
end
$$;

comment on function app_private.move_report(bigint, bigint, app_public.report_state, text) is
  'The report in its new state.';
