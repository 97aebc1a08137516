/*
 * Takes the caller's vote on an opinion back. The row stays, so that casting again is an update of
 * it.
 *
 * A locked or closed conversation keeps its votes. A vote on a moderated or deleted opinion may be
 * taken back: nobody has to stand by it. Cancelling twice, or what was never cast, writes nothing.
 */
create or replace function app_public.cancel_vote(opinion_id bigint)
  returns app_public.opinion_vote
  language plpgsql
  volatile
  security invoker
  set search_path to ''
as $$
declare
  v_account_id constant bigint := app_hidden.require_account();
  v_vote app_public.opinion_vote;
begin
  select v.* into v_vote from app_public.opinion_vote v
    where v.opinion_id = cancel_vote.opinion_id and v.voter_id = v_account_id;
  if v_vote.opinion_id is null or v_vote.cancelled_at is not null then
    return v_vote;
  end if;
  perform app_hidden.require_open_conversation(v_vote.conversation_id);
  update app_public.opinion_vote v
    set cancelled_at = now()
    where v.opinion_id = cancel_vote.opinion_id and v.voter_id = v_account_id
    returning v.* into v_vote;
  return v_vote;
end
$$;

comment on function app_public.cancel_vote(bigint) is
  'Takes the caller''s vote on an opinion back; null if there is none.';

grant execute on function app_public.cancel_vote(bigint)
  to app_anonymous, app_account, app_moderator;
