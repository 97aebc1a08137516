/*
 * All that an analysis of a conversation starts from, in one statement and so in one snapshot: the
 * last request, the votes, the texts, and the result published before. No row for a conversation
 * that is not there.
 *
 * Votes on moderated opinions are among them: such an opinion takes no part in components but still
 * counts as seen. Deleted opinions and cancelled votes are as if they had never been. In arrays,
 * because a row for each of 100,000 votes takes ten times as long to send and to read. Locks
 * nothing.
 */
create or replace function app_private.claim_analysis(conversation_id bigint)
  returns table (
    generation bigint,
    read_at timestamptz,
    voter_ids bigint[],
    voted_ids bigint[],
    choices smallint[],
    opinion_ids bigint[],
    contents text[],
    moderated_ids bigint[],
    earlier_ids bigint[],
    earlier_x double precision[],
    earlier_y double precision[],
    earlier_groups smallint[]
  )
  language sql
  stable
  security invoker
  set search_path to ''
begin atomic
  select
    coalesce(q.requested, 0),
    statement_timestamp(),
    v.voter_ids, v.voted_ids, v.choices,
    o.opinion_ids, o.contents, o.moderated_ids,
    p.account_ids, p.x, p.y, p.groups
  from app_public.conversation c
  left join app_private.analysis_request q on q.conversation_id = c.id
  cross join lateral (
    select
      array_agg(v.voter_id) as voter_ids,
      array_agg(v.opinion_id) as voted_ids,
      array_agg(case v.choice when 'agree' then 1 when 'disagree' then -1 else 0 end::smallint)
        as choices
    from app_public.opinion_vote v
    join app_public.opinion o on o.id = v.opinion_id
    where v.conversation_id = c.id and v.cancelled_at is null and o.deleted_at is null
  ) v
  cross join lateral (
    select
      array_agg(o.id) as opinion_ids,
      array_agg(o.content) as contents,
      array_agg(o.id) filter (where o.moderation is not null) as moderated_ids
    from app_public.opinion o
    where o.conversation_id = c.id and o.deleted_at is null
  ) o
  cross join lateral (
    select
      array_agg(p.account_id) as account_ids,
      array_agg(p.x) as x,
      array_agg(p.y) as y,
      array_agg(p.group_key) as groups
    from app_public.analysis_run r
    join app_public.participant_position p on p.run_id = r.id
    where r.conversation_id = c.id and r.is_published
  ) p
  where c.id = claim_analysis.conversation_id and c.deleted_at is null;
end;

comment on function app_private.claim_analysis(bigint) is
  'What an analysis of a conversation starts from, in one snapshot; no row if there is no such '
  'conversation.';
