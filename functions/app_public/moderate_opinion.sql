/*
 * Moves an opinion out of the lists, hides it, or withdraws such a decision, and writes who, when
 * and why.
 *
 * The update locks the opinion, so moderators take turns; votes go on beside it: a vote counts in
 * its conversation by the state of its opinion, whichever of the two commits first. Then the
 * history: the standing decision is withdrawn, the new one added. The same decision again changes
 * nothing and keeps the first reason.
 */
create or replace function app_public.moderate_opinion(
  opinion_id bigint, decision app_public.moderation_decision, reason text default ''
)
  returns app_public.opinion
  language plpgsql
  volatile
  security invoker
  set search_path to ''
as $$
declare
  v_moderator_id constant bigint := app_hidden.require_moderator();
  v_reason constant text :=
    app_hidden.require_text(moderate_opinion.reason, 'reason', 0, 2000, 'DL009');
  v_action constant app_public.moderation_action := case moderate_opinion.decision
    when 'move' then 'moved'::app_public.moderation_action
    when 'hide' then 'hidden'::app_public.moderation_action
  end;
  v_opinion app_public.opinion;
begin
  if moderate_opinion.decision is null then
    raise exception 'There is no decision' using
      errcode = 'DL010',
      detail = pg_catalog.format('opinion %s', moderate_opinion.opinion_id),
      hint = 'Decide to move or hide the opinion, or to withdraw its moderation.';
  end if;
  update app_public.opinion o
    set moderation = v_action
    where o.id = moderate_opinion.opinion_id and o.deleted_at is null
      and o.moderation is distinct from v_action
    returning o.* into v_opinion;
  if found then
    update app_public.opinion_moderation m
      set withdrawn_at = now(), withdrawn_by_id = v_moderator_id
      where m.opinion_id = v_opinion.id and m.withdrawn_at is null;
    if v_action is not null then
      insert into app_public.opinion_moderation (opinion_id, moderator_id, action, reason)
        values (v_opinion.id, v_moderator_id, v_action, v_reason);
    end if;
    return v_opinion;
  end if;
  select o.* into v_opinion from app_public.opinion o
    where o.id = moderate_opinion.opinion_id and o.deleted_at is null;
  if v_opinion.id is null then
    raise exception 'There is no such opinion' using
      errcode = 'DL002',
      detail = pg_catalog.format('opinion %s', moderate_opinion.opinion_id),
      hint = 'It may have been deleted: reload the conversation.';
  end if;
  return v_opinion;
end
$$;

comment on function app_public.moderate_opinion(bigint, app_public.moderation_decision, text) is
  'Moves or hides an opinion, or withdraws that. For moderators.';

grant execute on function app_public.moderate_opinion(bigint, app_public.moderation_decision, text)
  to app_anonymous, app_account, app_moderator;
