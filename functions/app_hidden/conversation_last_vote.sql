/*
 * When each conversation was last voted in. With its owner's rights, because only voters can see
 * their votes; it shows a time and nobody's name. One look at the end of
 * opinion_vote_conversation_id_idx for each conversation.
 */
create or replace view app_hidden.conversation_last_vote
  with (security_barrier = true)
as
select c.id as conversation_id, v.cast_at
from app_public.conversation c
cross join lateral (
  select w.cast_at from app_public.opinion_vote w
  where w.conversation_id = c.id and w.cancelled_at is null
  order by w.cast_at desc
  limit 1
) v;

comment on view app_hidden.conversation_last_vote is 'When each conversation was last voted in.';
comment on column app_hidden.conversation_last_vote.conversation_id is 'The conversation.';
comment on column app_hidden.conversation_last_vote.cast_at is
  'When its latest vote that stands was cast.';

grant select on app_hidden.conversation_last_vote to app_anonymous, app_account, app_moderator;
