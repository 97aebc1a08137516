/*
 * Whether an analysis has been asked for that the published result does not cover. Locks the
 * conversation's row of analysis_request until the end of the transaction: a request that comes
 * now waits for it (see request_analysis). Of a conversation that is deleted none is due.
 */
create or replace function app_private.is_analysis_due(conversation_id bigint)
  returns boolean
  language sql
  volatile
  security invoker
  set search_path to ''
as $$
  select q.requested > q.published and c.deleted_at is null
  from app_private.analysis_request q
  join app_public.conversation c on c.id = q.conversation_id
  where q.conversation_id = is_analysis_due.conversation_id
  for update of q;
$$;

comment on function app_private.is_analysis_due(bigint) is
  'Whether the published result does not cover the last request for an analysis.';
