/*
 * The counting rules of deliberation. What is not deleted counts in total_*; what is neither
 * deleted nor moderated (moved or hidden) in the others. Seed opinions count like any. Votes are
 * agree, disagree and pass, the author's own too, and count while they are not cancelled.
 *
 * A vote counts in its conversation by the state of its opinion at that moment, which is why these
 * counters look through the opinion: moderating or deleting it takes all its votes along,
 * withdrawing the moderation brings them back, and no vote is written. On the opinion itself its
 * votes show whatever becomes of it: a moderator, or the author who looks again, sees what people
 * thought of it.
 */
select millrace.counter('app_public.opinion.agree_count',
  source => 'app_public.opinion_vote', key => '{opinion_id}',
  filter => $$source.choice = 'agree' and source.cancelled_at is null$$);
select millrace.counter('app_public.opinion.disagree_count',
  source => 'app_public.opinion_vote', key => '{opinion_id}',
  filter => $$source.choice = 'disagree' and source.cancelled_at is null$$);
select millrace.counter('app_public.opinion.pass_count',
  source => 'app_public.opinion_vote', key => '{opinion_id}',
  filter => $$source.choice = 'pass' and source.cancelled_at is null$$);

select millrace.counter('app_public.conversation.opinion_count',
  source => 'app_public.opinion', key => '{conversation_id}',
  filter => 'source.deleted_at is null and source.moderation is null');
select millrace.counter('app_public.conversation.total_opinion_count',
  source => 'app_public.opinion', key => '{conversation_id}',
  filter => 'source.deleted_at is null');
select millrace.counter('app_public.conversation.moderated_opinion_count',
  source => 'app_public.opinion', key => '{conversation_id}',
  filter => $$source.deleted_at is null and source.moderation = 'moved'$$);
select millrace.counter('app_public.conversation.hidden_opinion_count',
  source => 'app_public.opinion', key => '{conversation_id}',
  filter => $$source.deleted_at is null and source.moderation = 'hidden'$$);

select millrace.counter('app_public.conversation.vote_count',
  source => 'app_public.opinion_vote', key => '{conversation_id}', through => 'app_public.opinion',
  filter =>
    'source.cancelled_at is null and via.deleted_at is null and via.moderation is null',
  -- once is enough: what is announced is the conversation, whichever of its counts changed
  notify => true);
select millrace.counter('app_public.conversation.total_vote_count',
  source => 'app_public.opinion_vote', key => '{conversation_id}', through => 'app_public.opinion',
  filter => 'source.cancelled_at is null and via.deleted_at is null');

select millrace.counter('app_public.conversation.participant_count',
  source => 'app_public.opinion_vote', key => '{conversation_id}', through => 'app_public.opinion',
  filter =>
    'source.cancelled_at is null and via.deleted_at is null and via.moderation is null',
  distinct_on => '{voter_id}');
select millrace.counter('app_public.conversation.total_participant_count',
  source => 'app_public.opinion_vote', key => '{conversation_id}', through => 'app_public.opinion',
  filter => 'source.cancelled_at is null and via.deleted_at is null',
  distinct_on => '{voter_id}');
