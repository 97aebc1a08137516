/*
 * Notes that an analysis of a conversation is asked for, and numbers the request. What is read
 * afterwards covers it: every vote that led to it has been committed.
 *
 * Locks the conversation's row of analysis_request until the end of the transaction, as the end of
 * publish_analysis does: either the request is seen there, and another run is sent for in the same
 * transaction, or the job that published has ended and this request can have one of its own.
 */
create or replace function app_private.request_analysis(conversation_id bigint)
  returns bigint
  language sql
  volatile
  security invoker
  set search_path to ''
as $$
  insert into app_private.analysis_request as q (conversation_id, requested, requested_at)
    select c.id, 1, clock_timestamp() from app_public.conversation c
    where c.id = request_analysis.conversation_id and c.deleted_at is null
    on conflict (conversation_id) do update
      set requested = q.requested + 1, requested_at = excluded.requested_at
    returning q.requested;
$$;

comment on function app_private.request_analysis(bigint) is
  'Notes that an analysis is asked for; returns the number of the request, null if there is no '
  'such conversation.';
