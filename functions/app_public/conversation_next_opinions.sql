/*
 * What to ask the viewer next: the opinions without a vote of theirs, by priority. A cancelled vote
 * is none.
 *
 * A range of opinion_analysis_priority_idx with one look at the vote's primary key for each opinion
 * passed over; a scalar subquery for the reason given in conversation_discover_opinions.
 */
create or replace function app_public.conversation_next_opinions(
  conversation app_public.conversation
)
  returns setof app_public.opinion_analysis
  language sql
  stable
  parallel safe
  security invoker
  rows 100
begin atomic
  select a.* from app_public.opinion_analysis a
  where a.conversation_id = conversation.id and a.is_listed
    and (
      select v.cancelled_at is null from app_public.opinion_vote v
      where v.opinion_id = a.opinion_id and v.voter_id = (select app_hidden.current_account_id())
    ) is not true;
end;

comment on function app_public.conversation_next_opinions(app_public.conversation) is
  E'@behavior +order +backwards -array\n'
  '@listOrder PRIORITY_DESC,OPINION_ID_DESC\n'
  'The opinions that the viewer has not voted on, those first whose votes would tell most.';

grant execute on function app_public.conversation_next_opinions(app_public.conversation)
  to app_anonymous, app_account, app_moderator;
