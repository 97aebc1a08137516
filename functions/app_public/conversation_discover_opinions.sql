/*
 * What the viewer has not voted on, oldest first: what is written while one pages comes at the end.
 * A cancelled vote is none.
 *
 * A range of opinion_conversation_id_listed_idx with one look at the vote's primary key for each
 * opinion passed over. Written as a scalar subquery on purpose: an anti join lets the planner hash
 * all of the viewer's votes and sort the whole conversation for one page.
 */
create or replace function app_public.conversation_discover_opinions(
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
  where o.conversation_id = conversation.id and o.deleted_at is null and o.moderation is null
    and (
      select v.cancelled_at is null from app_public.opinion_vote v
      where v.opinion_id = o.id and v.voter_id = (select app_hidden.current_account_id())
    ) is not true;
end;

comment on function app_public.conversation_discover_opinions(app_public.conversation) is
  E'@behavior +order +backwards -array\n'
  '@listOrder CREATED_AT_ASC,ID_ASC\n'
  'The opinions of the conversation that the viewer has not voted on.';

grant execute on function app_public.conversation_discover_opinions(app_public.conversation)
  to app_anonymous, app_account, app_moderator;
