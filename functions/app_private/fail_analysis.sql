/*
 * Notes that an analysis was given up after all its attempts. What was published stays; the note
 * goes with the next result.
 */
create or replace function app_private.fail_analysis(conversation_id bigint, error text)
  returns void
  language sql
  volatile
  security invoker
  set search_path to ''
as $$
  update app_private.analysis_request q
    set failed_at = clock_timestamp(), last_error = fail_analysis.error
    where q.conversation_id = fail_analysis.conversation_id;
$$;

comment on function app_private.fail_analysis(bigint, text) is
  'Notes that an analysis was given up, and why.';
