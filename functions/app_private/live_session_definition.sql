/*
 * The sessions that have not ended: db/derived/access.sql has the engine announce which come and
 * go, so that hosts close the web sockets of those that ended.
 */
create or replace view app_private.live_session_definition as
select s.id as session_id, s.account_id from app_public.session s where s.ended_at is null;

comment on view app_private.live_session_definition is 'What app_private.live_session holds.';
