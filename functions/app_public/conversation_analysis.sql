/* By the partial unique index on the published result. */
create or replace function app_public.conversation_analysis(conversation app_public.conversation)
  returns app_public.analysis_run
  language sql
  stable
  parallel safe
  security invoker
begin atomic
  select r.* from app_public.analysis_run r
  where r.conversation_id = conversation.id and r.is_published;
end;

comment on function app_public.conversation_analysis(app_public.conversation) is
  'The analysis of the conversation that is published now; null before the first.';

grant execute on function app_public.conversation_analysis(app_public.conversation)
  to app_anonymous, app_account, app_moderator;
