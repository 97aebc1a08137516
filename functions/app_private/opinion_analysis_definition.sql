/*
 * What the published analysis says of each opinion, with the names of the groups: all that a list
 * of opinions shows beside each, in one row. db/derived/analysis.sql keeps it.
 *
 * Every opinion has a row. One that no analysis has seen yet has the priority of the formula for an
 * opinion without votes, which is the greatest that an opinion nobody finds extreme can have: it is
 * shown soon. (1/2 · 1 · 1/2 · 9)² = 5.0625.
 */
create or replace view app_private.opinion_analysis_definition as
select
  o.id as opinion_id,
  o.conversation_id,
  r.id as run_id,
  o.deleted_at is null and o.moderation is null as is_listed,
  s.standing,
  coalesce(s.consensus, 0) as consensus,
  coalesce(s.dissent, 0) as dissent,
  coalesce(s.divisiveness, 0) as divisiveness,
  coalesce(s.extremity, 0) as extremity,
  coalesce(s.priority, 5.0625) as priority,
  array(
    select row(g.key, g.label, g.agrees, g.disagrees, g.passes)::app_public.group_votes
    from unnest(r.group_keys, r.labels, s.agrees, s.disagrees, s.passes)
      g(key, label, agrees, disagrees, passes)
    where g.agrees is not null
    order by g.key
  ) as group_votes
from app_public.opinion o
left join app_public.analysis_run r on r.conversation_id = o.conversation_id and r.is_published
left join app_private.opinion_group_stats s on s.run_id = r.id and s.opinion_id = o.id;

comment on view app_private.opinion_analysis_definition is
  'What app_public.opinion_analysis holds.';
