/*
 * Whether an analysis has been asked for that the published result does not cover. Locks the
 * conversation's row of analysis_request until the end of the transaction: a request that comes
 * now waits for it (see request_analysis).
 */
create or replace function app_private.is_analysis_due(conversation_id bigint)
  returns boolean
  language sql
  volatile
  security invoker
  set search_path to ''
as $$
  select q.requested > q.published from app_private.analysis_request q
  where q.conversation_id = is_analysis_due.conversation_id
  for update;
$$;

comment on function app_private.is_analysis_due(bigint) is
  'Whether the published result does not cover the last request for an analysis.';
