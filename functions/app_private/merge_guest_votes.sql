/*
 * Deliberation's part of merge_guest: votes, opinions, conversations, and where the guest stands in
 * published analyses.
 */
create or replace function app_private.merge_guest_votes(guest_id bigint, account_id bigint)
  returns void
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_guest constant bigint := merge_guest_votes.guest_id;
  v_account constant bigint := merge_guest_votes.account_id;
begin
  update app_public.opinion_vote v
    set choice = g.choice, cast_at = g.cast_at, cancelled_at = null
    from app_public.opinion_vote g
    where g.voter_id = v_guest and g.cancelled_at is null
      and v.voter_id = v_account and v.opinion_id = g.opinion_id and v.cancelled_at is not null;
  delete from app_public.opinion_vote g using app_public.opinion_vote v
    where g.voter_id = v_guest and v.voter_id = v_account and v.opinion_id = g.opinion_id;
  update app_public.opinion_vote v set voter_id = v_account where v.voter_id = v_guest;
  update app_public.opinion o set author_id = v_account where o.author_id = v_guest;
  update app_public.conversation c set owner_id = v_account where c.owner_id = v_guest;
  update app_public.conversation_moderation m set moderator_id = v_account
    where m.moderator_id = v_guest;
  update app_public.conversation_moderation m set withdrawn_by_id = v_account
    where m.withdrawn_by_id = v_guest;
  delete from app_public.participant_position p using app_public.participant_position o
    where p.account_id = v_guest and o.account_id = v_account and o.run_id = p.run_id;
  update app_public.participant_position p set account_id = v_account
    where p.account_id = v_guest;
end
$$;

comment on function app_private.merge_guest_votes(bigint, bigint) is
  'Makes what a guest has in deliberation the accounts.';
