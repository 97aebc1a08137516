/*
 * The list of a conversation. It is ordered by (created_at, id), which never change, so a page and
 * the next never overlap, whatever is written in between. Inlined into the query that pages through
 * it, which makes it a range of opinion_conversation_id_listed_idx.
 */
create or replace function app_public.conversation_new_opinions(
  conversation app_public.conversation
)
  returns setof app_public.opinion
  language sql
  stable
  parallel safe
  security invoker
  rows 100
begin atomic
  select o.* from app_public.opinion o
  where o.conversation_id = conversation.id and o.deleted_at is null and o.moderation is null;
end;

comment on function app_public.conversation_new_opinions(app_public.conversation) is
  E'@behavior +order +backwards -array\n'
  '@listOrder CREATED_AT_DESC,ID_DESC\n'
  'The opinions of the conversation, newest first.';

grant execute on function app_public.conversation_new_opinions(app_public.conversation)
  to app_anonymous, app_account, app_moderator;
