/*
 * Writes a result and makes it the published one: in the caller's transaction, so that a reader
 * sees the old one whole or the new one whole, and a crash leaves the old one.
 *
 * Returns null, and writes nothing, when a result that covers a later request has been published
 * meanwhile, or the conversation is gone: a run that was overtaken does not move it back in time.
 * Otherwise the id of the result.
 *
 * Arrays run in parallel: of groups in the order of their keys; of positions, whose place is the
 * number of the point; of opinions, with the counts of all groups one opinion after the other. Rows
 * of nobody else are locked but, at the end, the conversation's row of analysis_request: two
 * results, a request and a moderator who names a group take turns there.
 */
create or replace function app_private.publish_analysis(
  conversation_id bigint,
  generation bigint,
  read_at timestamptz,
  outcome app_public.analysis_outcome,
  numbers jsonb,
  group_keys smallint[],
  sizes integer[],
  labels text[],
  continues boolean[],
  account_ids bigint[],
  x double precision[],
  y double precision[],
  account_groups smallint[],
  opinion_ids bigint[],
  agrees integer[],
  disagrees integer[],
  passes integer[],
  standings smallint[],
  consensus double precision[],
  dissent double precision[],
  divisiveness double precision[],
  extremity double precision[],
  priority double precision[],
  representatives jsonb,
  consensus_opinions jsonb
)
  returns bigint
  language plpgsql
  volatile
  security invoker
  set search_path to ''
as $$
#variable_conflict use_column
declare
  v_groups constant integer := cardinality(publish_analysis.group_keys);
  v_run_id bigint;
  v_request app_private.analysis_request;
  v_before app_public.analysis_run;
begin
  insert into app_private.analysis_request (conversation_id)
    select c.id from app_public.conversation c
    where c.id = publish_analysis.conversation_id and c.deleted_at is null
    on conflict (conversation_id) do nothing;
  if not exists (
    select from app_private.analysis_request q
    join app_public.conversation c on c.id = q.conversation_id
    where q.conversation_id = publish_analysis.conversation_id and c.deleted_at is null
      and q.published <= publish_analysis.generation
  ) then
    return null;
  end if;

  insert into app_public.analysis_run (
    conversation_id, generation, outcome, read_at, vote_count, opinion_count, participant_count,
    member_count, group_keys, silhouette, details
  )
    select publish_analysis.conversation_id, publish_analysis.generation, publish_analysis.outcome,
      publish_analysis.read_at, n.vote_count, cardinality(publish_analysis.opinion_ids),
      cardinality(publish_analysis.account_ids), n.member_count, publish_analysis.group_keys,
      n.silhouette, publish_analysis.numbers -> 'details'
    from jsonb_to_record(publish_analysis.numbers)
      n(vote_count integer, member_count integer, silhouette double precision)
    returning id into v_run_id;
  insert into app_private.opinion_group_stats (
    run_id, opinion_id, agrees, disagrees, passes, standing, consensus, dissent, divisiveness,
    extremity, priority
  )
    select v_run_id, o.id,
      publish_analysis.agrees[(o.place - 1) * v_groups + 1 : o.place * v_groups],
      publish_analysis.disagrees[(o.place - 1) * v_groups + 1 : o.place * v_groups],
      publish_analysis.passes[(o.place - 1) * v_groups + 1 : o.place * v_groups],
      case o.standing
        when 1 then 'agreed' when 2 then 'disagreed' when 3 then 'divisive'
      end::app_public.opinion_standing,
      o.consensus, o.dissent, o.divisiveness, o.extremity, o.priority
    from unnest(
      publish_analysis.opinion_ids, publish_analysis.standings, publish_analysis.consensus,
      publish_analysis.dissent, publish_analysis.divisiveness, publish_analysis.extremity,
      publish_analysis.priority
    ) with ordinality
      o(id, standing, consensus, dissent, divisiveness, extremity, priority, place);
  insert into app_public.participant_position (run_id, point, account_id, x, y, group_key)
    select v_run_id, p.place - 1, p.account_id, p.x, p.y, p.group_key
    from unnest(
      publish_analysis.account_ids, publish_analysis.x, publish_analysis.y,
      publish_analysis.account_groups
    ) with ordinality p(account_id, x, y, group_key, place);
  insert into app_public.consensus_opinion (
    run_id, direction, rank, opinion_id, success_count, vote_count, probability, probability_test
  )
    select v_run_id, o.direction, o.rank, o.opinion_id, o.success_count, o.vote_count,
      o.probability, o.probability_test
    from jsonb_populate_recordset(
      null::app_public.consensus_opinion, publish_analysis.consensus_opinions) o;

  select q.* into v_request from app_private.analysis_request q
    where q.conversation_id = publish_analysis.conversation_id
    for update;
  if v_request.published is null or v_request.published > publish_analysis.generation then
    -- takes along what was written above
    delete from app_public.analysis_run r where r.id = v_run_id;
    return null;
  end if;
  update app_public.analysis_run r set is_published = false
    where r.conversation_id = publish_analysis.conversation_id and r.is_published
    returning r.* into v_before;
  delete from app_private.group_label l
    where l.conversation_id = publish_analysis.conversation_id and l.key <> all (
      select g.key from unnest(publish_analysis.group_keys, publish_analysis.continues)
        g(key, continues)
      where g.continues
    );
  insert into app_public.opinion_group (
    run_id, key, label, made_label, is_label_edited, size, since
  )
    select v_run_id, g.key, coalesce(l.label, g.label), g.label, l.label is not null, g.size,
      case when g.continues then coalesce(b.since, publish_analysis.read_at)
        else publish_analysis.read_at end
    from unnest(
      publish_analysis.group_keys, publish_analysis.labels, publish_analysis.sizes,
      publish_analysis.continues
    ) g(key, label, size, continues)
    left join app_private.group_label l
      on l.conversation_id = publish_analysis.conversation_id and l.key = g.key
    left join app_public.opinion_group b on b.run_id = v_before.id and b.key = g.key;
  insert into app_public.representative_opinion (
    run_id, group_key, rank, opinion_id, direction, is_selected, is_best_agree, success_count,
    vote_count, probability, probability_test, ratio, ratio_test
  )
    select v_run_id, o.group_key, o.rank, o.opinion_id, o.direction, o.is_selected,
      o.is_best_agree, o.success_count, o.vote_count, o.probability, o.probability_test, o.ratio,
      o.ratio_test
    from jsonb_populate_recordset(
      null::app_public.representative_opinion, publish_analysis.representatives) o;
  update app_public.analysis_run r
    set is_published = true, published_at = clock_timestamp(), labels = array(
      select g.label from app_public.opinion_group g where g.run_id = r.id order by g.key
    )
    where r.id = v_run_id;
  update app_private.analysis_request q
    set published = publish_analysis.generation, failed_at = null, last_error = null
    where q.conversation_id = publish_analysis.conversation_id;
  return v_run_id;
end
$$;

comment on function app_private.publish_analysis(
  bigint, bigint, timestamptz, app_public.analysis_outcome, jsonb, smallint[], integer[], text[],
  boolean[], bigint[], double precision[], double precision[], smallint[], bigint[], integer[],
  integer[], integer[], smallint[], double precision[], double precision[], double precision[],
  double precision[], double precision[], jsonb, jsonb
) is
  'Writes and publishes a result, and returns its id; null if it was overtaken.';
