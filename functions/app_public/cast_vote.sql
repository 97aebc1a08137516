/*
 * Casts, changes or confirms the caller's vote on an opinion.
 *
 * Writes one row of opinion_vote, whose trigger appends one log row: two voters never wait for each
 * other. It locks (key share, by the foreign keys) the opinion and the caller's account, and
 * nothing else. Casting the same vote again writes nothing.
 *
 * What takes no vote is the policies' rule (app_hidden.require_votable_opinion), which raises from
 * within the insert or update: a moderated or deleted opinion, a locked, closed or deleted
 * conversation. A vote that passes while a moderation or a lock is about to commit counts as cast
 * before it. After a moderation the vote stands, but no longer counts in its conversation, because
 * votes count by the state of their opinion.
 */
create or replace function app_public.cast_vote(opinion_id bigint, choice app_public.vote_choice)
  returns app_public.opinion_vote
  language plpgsql
  volatile
  security invoker
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_account_id constant bigint := app_hidden.require_active_account();
  v_vote app_public.opinion_vote;
begin
  select v.* into v_vote from app_public.opinion_vote v
    where v.opinion_id = cast_vote.opinion_id and v.voter_id = v_account_id
      and v.choice = cast_vote.choice and v.cancelled_at is null;
  if found then
    perform app_hidden.require_votable_opinion(cast_vote.opinion_id);
    return v_vote;
  end if;
  insert into app_public.opinion_vote as v (opinion_id, voter_id, conversation_id, choice)
    select o.id, v_account_id, o.conversation_id, cast_vote.choice
    from app_public.opinion o
    where o.id = cast_vote.opinion_id
    on conflict (opinion_id, voter_id) do update
      set choice = excluded.choice, cast_at = excluded.cast_at, cancelled_at = null
    returning v.* into v_vote;
  if not found then
    perform app_hidden.require_votable_opinion(cast_vote.opinion_id);
  end if;
  return v_vote;
end
$$;

comment on function app_public.cast_vote(bigint, app_public.vote_choice) is
  'Casts the caller''s vote on an opinion, or changes it. Repeating it changes nothing.';

grant execute on function app_public.cast_vote(bigint, app_public.vote_choice)
  to app_anonymous, app_account, app_moderator;
