/*
 * The viewer's standing votes, ordered by opinion: unlike the time of the vote that never changes,
 * so changing a vote while one pages neither repeats nor skips one.
 *
 * A range of opinion_vote_voter_id_idx. For a first page the planner may prefer to sort the
 * viewer's own votes in the conversation, never anybody else's.
 */
create or replace function app_public.conversation_my_votes(conversation app_public.conversation)
  returns setof app_public.opinion_vote
  language sql
  stable
  parallel safe
  security invoker
  rows 100
begin atomic
  select v.* from app_public.opinion_vote v
  where v.voter_id = (select app_hidden.current_account_id())
    and v.conversation_id = conversation.id and v.cancelled_at is null;
end;

comment on function app_public.conversation_my_votes(app_public.conversation) is
  E'@behavior +order +backwards -array\n'
  '@listOrder OPINION_ID_DESC,VOTER_ID_DESC\n'
  'The votes that the viewer has cast in the conversation, on the newest opinions first.';

grant execute on function app_public.conversation_my_votes(app_public.conversation)
  to app_anonymous, app_account, app_moderator;
