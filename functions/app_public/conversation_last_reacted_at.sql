/*
 * Not a stored column: every vote would write the conversation's row. One look at the end of an
 * index instead.
 */
create or replace function app_public.conversation_last_reacted_at(
  conversation app_public.conversation
)
  returns timestamptz
  language sql
  stable
  parallel safe
  security invoker
return (
  select v.cast_at from app_hidden.conversation_last_vote v
  where v.conversation_id = conversation.id
);

comment on function app_public.conversation_last_reacted_at(app_public.conversation) is
  'When the latest vote that stands was cast in the conversation; null if there is none.';

grant execute on function app_public.conversation_last_reacted_at(app_public.conversation)
  to app_anonymous, app_account, app_moderator;
