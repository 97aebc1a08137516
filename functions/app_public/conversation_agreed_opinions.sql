/*
 * By group-wise standing in the published analysis. A range of
 * opinion_analysis_agreed_idx; the opinion itself is joined where it is asked for.
 */
create or replace function app_public.conversation_agreed_opinions(
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
  where a.conversation_id = conversation.id and a.is_listed and a.standing = 'agreed';
end;

comment on function app_public.conversation_agreed_opinions(app_public.conversation) is
  E'@behavior +order +backwards -array\n'
  '@listOrder CONSENSUS_DESC,OPINION_ID_DESC\n'
  'Opinions that most of every group agree with, the most likely agreed with first.';

grant execute on function app_public.conversation_agreed_opinions(app_public.conversation)
  to app_anonymous, app_account, app_moderator;
