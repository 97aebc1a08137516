/*
 * A range of the primary key. Ordered by id, which never changes, so a page and the next never
 * overlap, whatever is written in between.
 */
create or replace function app_public.direct_conversation_messages(
  conversation app_public.direct_conversation
)
  returns setof app_public.direct_message
  language sql
  stable
  parallel safe
  security invoker
  rows 100
begin atomic
  select m.* from app_public.direct_message m
  where m.conversation_id = conversation.id;
end;

comment on function app_public.direct_conversation_messages(app_public.direct_conversation) is
  E'@behavior +order +backwards -array\n'
  '@listOrder PRIMARY_KEY_DESC\n'
  'The messages of the conversation, newest first.';

grant execute on function app_public.direct_conversation_messages(app_public.direct_conversation)
  to app_anonymous, app_account, app_moderator;
