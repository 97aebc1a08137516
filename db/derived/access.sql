/*
 * Which sessions there are, for the announcements: hosts look again at the session of an open web
 * socket when its key is announced. A request needs none of this: it asks for the session itself.
 */
select millrace.materialize('app_private.live_session',
  definition => 'app_private.live_session_definition',
  key => '{session_id}',
  sources => jsonb_build_object('app_public.session', 'id'),
  debounce => '100 milliseconds', max_wait => '200 milliseconds', notify => true);
alter table app_private.live_session enable row level security;
comment on table app_private.live_session is 'Sessions that have not ended, as last recomputed.';
comment on view app_private.live_session_live is 'Sessions that have not ended.';
