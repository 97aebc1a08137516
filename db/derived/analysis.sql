/*
 * What the published analysis says of each opinion, in one row with the names of the groups, so
 * that no list of opinions has to join results. A new result touches every opinion of its
 * conversation; what opinion_group_stats holds never changes, so a change there never matters.
 */
select millrace.materialize('app_public.opinion_analysis',
  definition => 'app_private.opinion_analysis_definition',
  key => '{opinion_id}',
  sources => jsonb_build_object(
    'app_public.opinion', 'id',
    'app_public.analysis_run', $$
      select o.id from changed
      join app_public.opinion o on o.conversation_id = changed.conversation_id
      where changed.is_published
    $$,
    'app_private.opinion_group_stats', null));

create index if not exists opinion_analysis_priority_idx
  on app_public.opinion_analysis (conversation_id, priority, opinion_id) where is_listed;
create index if not exists opinion_analysis_agreed_idx
  on app_public.opinion_analysis (conversation_id, consensus, opinion_id)
  where is_listed and standing = 'agreed';
create index if not exists opinion_analysis_disagreed_idx
  on app_public.opinion_analysis (conversation_id, dissent, opinion_id)
  where is_listed and standing = 'disagreed';
create index if not exists opinion_analysis_divisive_idx
  on app_public.opinion_analysis (conversation_id, divisiveness, opinion_id)
  where is_listed and standing = 'divisive';

alter table app_public.opinion_analysis enable row level security;
drop policy if exists opinion_analysis_select on app_public.opinion_analysis;
create policy opinion_analysis_select on app_public.opinion_analysis for select
  to app_anonymous, app_account, app_moderator
  using (exists (select from app_public.opinion o where o.id = opinion_id));
grant select on app_public.opinion_analysis to app_anonymous, app_account, app_moderator;

alter table app_public.opinion_analysis
  alter column conversation_id set not null,
  alter column is_listed set not null,
  alter column consensus set not null,
  alter column dissent set not null,
  alter column divisiveness set not null,
  alter column extremity set not null,
  alter column priority set not null,
  alter column group_votes set not null;

comment on table app_public.opinion_analysis is
  E'@behavior -query:resource:list -query:resource:connection -query:resource:single '
  '-manyRelation:resource:list -manyRelation:resource:connection\n'
  'What the published analysis says of an opinion.';
comment on view app_public.opinion_analysis_live is E'@behavior -*\nThe same, exact.';
comment on column app_public.opinion_analysis.opinion_id is E'@isIndexed\nThe opinion.';
comment on column app_public.opinion_analysis.conversation_id is 'Its conversation.';
comment on column app_public.opinion_analysis.run_id is
  'The analysis; null before the first.';
comment on column app_public.opinion_analysis.is_listed is
  E'@behavior -*\nWhether it is neither moderated nor deleted.';
comment on column app_public.opinion_analysis.standing is
  'How the groups stand to it; null where that is not clear.';
comment on column app_public.opinion_analysis.consensus is
  E'@isIndexed\nHow likely a member of every group agrees: the product over the groups.';
comment on column app_public.opinion_analysis.dissent is
  E'@isIndexed\nHow likely a member of every group disagrees.';
comment on column app_public.opinion_analysis.divisiveness is
  E'@isIndexed\nHow likely a member of one group agrees and one of another disagrees, at most.';
comment on column app_public.opinion_analysis.extremity is
  'How far from the centre somebody stands who agrees with it and votes on nothing else.';
comment on column app_public.opinion_analysis.priority is
  E'@isIndexed\nHow much a vote on it would tell.';
comment on column app_public.opinion_analysis.group_votes is
  'How each group voted on it, in the order of the groups'' keys.';

/*
 * Votes ask for an analysis of their conversation: two seconds after the last one, within 20
 * seconds however busy it is, every 20 seconds at most. So does a moderation or a deletion.
 */
select millrace.react('analyze_conversation', source => 'app_public.opinion_vote',
  key => '{conversation_id}', task => 'analyze_conversation', debounce => '2 seconds',
  max_wait => '20 seconds', min_interval => '20 seconds',
  columns => '{opinion_id,voter_id,choice,cancelled_at}');
select millrace.react('analyze_moderated', source => 'app_public.opinion',
  key => '{conversation_id}', task => 'analyze_conversation', debounce => '2 seconds',
  max_wait => '20 seconds', min_interval => '20 seconds', columns => '{moderation,deleted_at}',
  filter => 'source.deleted_at is not null or source.moderation is not null');
