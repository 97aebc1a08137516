/*
 * What moderators have moved, and for moderators also what they have hidden: an author sees a
 * hidden opinion of their own, but not in this list. A range of
 * opinion_conversation_id_moderated_idx.
 */
create or replace function app_public.conversation_moderated_opinions(
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
  where o.conversation_id = conversation.id and o.deleted_at is null and o.moderation is not null
    and (o.moderation = 'moved' or (select app_hidden.is_moderator()));
end;

comment on function app_public.conversation_moderated_opinions(app_public.conversation) is
  E'@behavior +order +backwards -array\n'
  '@listOrder CREATED_AT_DESC,ID_DESC\n'
  'The opinions that moderators have moved; for moderators also the hidden ones.';

grant execute on function app_public.conversation_moderated_opinions(app_public.conversation)
  to app_anonymous, app_account, app_moderator;
