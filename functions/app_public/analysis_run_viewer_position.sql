/*
 * Runs as its owner, because no API role may read whose a position is. By the unique index on run
 * and account; for visitors without an account nothing is looked up.
 */
create or replace function app_public.analysis_run_viewer_position(analysis app_public.analysis_run)
  returns app_public.participant_position
  language sql
  stable
  parallel safe
  security definer
  set search_path to ''
as $$
  select p.* from app_public.participant_position p
  where p.run_id = analysis.id and p.account_id = app_hidden.current_account_id();
$$;

comment on function app_public.analysis_run_viewer_position(app_public.analysis_run) is
  'Where the viewer stands, and in which group; null if the viewer had not voted.';

grant execute on function app_public.analysis_run_viewer_position(app_public.analysis_run)
  to app_anonymous, app_account, app_moderator;
