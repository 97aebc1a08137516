/*
 * Opinion groups: what the analysis of a conversation's votes has found.
 *
 * A run reads all votes of a conversation in one snapshot and publishes one result: everything in
 * these tables that carries its id. Results are written whole and never changed, and one of a
 * conversation is the published one, so the switch from one to the next is one row each. Who voted
 * what is in none of them; who stands where is for that account alone.
 *
 * Nothing here references an opinion or an account: a run would have to lock thousands of rows that
 * voters lock too, only to hold what the next run replaces anyway.
 */
create type app_public.analysis_outcome as enum (
  'grouped', 'no_votes', 'not_enough_participants', 'not_enough_opinions', 'no_groups'
);
create type app_public.opinion_standing as enum ('agreed', 'disagreed', 'divisive');
create type app_public.group_votes as (
  group_key integer,
  label text,
  agree_count integer,
  disagree_count integer,
  pass_count integer
);

comment on type app_public.analysis_outcome is
  'grouped: there are opinion groups; no_votes, not_enough_participants, not_enough_opinions: too '
  'little to tell; no_groups: the participants do not fall into groups.';
comment on type app_public.opinion_standing is
  'agreed: most of every group agree; disagreed: most of every group disagree; divisive: most of '
  'one group agree and most of another disagree. Each beyond chance.';
comment on type app_public.group_votes is 'How an opinion group voted on an opinion.';
comment on column app_public.group_votes.group_key is 'The key of the group in its conversation.';
comment on column app_public.group_votes.label is 'The name of the group.';
comment on column app_public.group_votes.agree_count is 'Members who agree.';
comment on column app_public.group_votes.disagree_count is 'Members who disagree.';
comment on column app_public.group_votes.pass_count is 'Members who pass.';

create table app_public.analysis_run (
  id bigint generated always as identity primary key,
  conversation_id bigint not null references app_public.conversation (id) on delete cascade,
  generation bigint not null,
  outcome app_public.analysis_outcome not null,
  is_published boolean not null default false,
  read_at timestamptz not null,
  published_at timestamptz not null default clock_timestamp(),
  vote_count integer not null,
  opinion_count integer not null,
  participant_count integer not null,
  member_count integer not null,
  group_keys smallint[] not null default '{}',
  labels text[] not null default '{}',
  silhouette double precision,
  details jsonb not null default '{}'
);
create unique index analysis_run_conversation_id_key on app_public.analysis_run (conversation_id)
  where is_published;
create index analysis_run_conversation_id_idx on app_public.analysis_run (conversation_id, id);

comment on table app_public.analysis_run is
  E'@behavior -query:resource:list -query:resource:connection -query:resource:single\n'
  'What an analysis of all votes of a conversation has found: opinion groups, and what unites and '
  'divides them.';
comment on column app_public.analysis_run.id is 'Identifies the result.';
comment on column app_public.analysis_run.conversation_id is 'The conversation.';
comment on column app_public.analysis_run.generation is
  E'@behavior -*\nThe last request for an analysis that this result covers.';
comment on column app_public.analysis_run.outcome is 'Whether there are groups, and if not why.';
comment on column app_public.analysis_run.is_published is
  E'@behavior -*\nWhether it is the result that is shown; one of each conversation is.';
comment on column app_public.analysis_run.read_at is
  'The votes are those cast until this moment.';
comment on column app_public.analysis_run.published_at is 'When it was published.';
comment on column app_public.analysis_run.vote_count is
  'Votes analysed, those on moderated opinions included.';
comment on column app_public.analysis_run.opinion_count is 'Opinions with at least one of them.';
comment on column app_public.analysis_run.participant_count is
  'Accounts that cast at least one of them.';
comment on column app_public.analysis_run.member_count is
  'Participants that are in a group: those who voted enough to be placed.';
comment on column app_public.analysis_run.group_keys is
  E'@behavior -*\nThe keys of the groups, ascending.';
comment on column app_public.analysis_run.labels is
  E'@behavior -*\nTheir names, in the same order.';
comment on column app_public.analysis_run.silhouette is
  'How well the groups are separated, from -1 to 1; null without groups.';
comment on column app_public.analysis_run.details is
  E'@behavior -*\nNumbers of groups tried, singular values, milliseconds of each stage.';

create table app_public.opinion_group (
  run_id bigint not null references app_public.analysis_run (id) on delete cascade,
  key smallint not null,
  label text not null,
  made_label text not null,
  is_label_edited boolean not null default false,
  size integer not null,
  since timestamptz not null,
  primary key (run_id, key),
  constraint opinion_group_key_check check (key between 0 and 5),
  constraint opinion_group_label_check check (char_length(label) <= 80)
);

comment on table app_public.opinion_group is
  E'@behavior -query:resource:list -query:resource:connection -query:resource:single\n'
  'Participants who vote alike.';
comment on column app_public.opinion_group.run_id is 'The analysis that found it.';
comment on column app_public.opinion_group.key is
  'A number from 0 to 5 that the group goes by, and its colour: the group of the next analysis '
  'that has the most of its members gets it too.';
comment on column app_public.opinion_group.label is
  'Its name: words that tell the opinions it agrees with from others, or what a moderator wrote.';
comment on column app_public.opinion_group.made_label is
  E'@behavior -*\nThe name made of its opinions.';
comment on column app_public.opinion_group.is_label_edited is
  'Whether a moderator wrote the name.';
comment on column app_public.opinion_group.size is 'How many members it has.';
comment on column app_public.opinion_group.since is
  'Since when there is this group: more than half of the members have been the same from one '
  'analysis to the next.';

create table app_private.group_label (
  conversation_id bigint not null references app_public.conversation (id) on delete cascade,
  key smallint not null,
  label text not null,
  moderator_id bigint not null references app_public.account (id),
  edited_at timestamptz not null default now(),
  primary key (conversation_id, key)
);
create index group_label_moderator_id_idx on app_private.group_label (moderator_id);

comment on table app_private.group_label is
  'Names that moderators gave to opinion groups; gone when the group is.';
comment on column app_private.group_label.conversation_id is 'The conversation.';
comment on column app_private.group_label.key is 'The key of the group.';
comment on column app_private.group_label.label is 'Its name.';
comment on column app_private.group_label.moderator_id is 'Who gave it.';
comment on column app_private.group_label.edited_at is 'When it was given.';

create table app_public.participant_position (
  run_id bigint not null,
  point integer not null,
  account_id bigint not null,
  x double precision not null,
  y double precision not null,
  group_key smallint,
  primary key (run_id, point)
);
create unique index participant_position_account_id_key
  on app_public.participant_position (run_id, account_id);

comment on table app_public.participant_position is
  E'@behavior -query:resource:list -query:resource:connection -query:resource:single\n'
  '@foreignKey (run_id) references app_public.analysis_run (id)'
  '|@fieldName analysis|@foreignFieldName positions\n'
  '@foreignKey (run_id, group_key) references app_public.opinion_group (run_id, key)'
  '|@fieldName group|@backwardBehavior -list -connection\n'
  'Where a participant stands: the closer two are, the more they voted alike.';
comment on column app_public.participant_position.run_id is 'The analysis.';
comment on column app_public.participant_position.point is
  'Numbers the points of an analysis from 0, in an order that says nothing of who they are.';
comment on column app_public.participant_position.account_id is 'Whose position it is.';
comment on column app_public.participant_position.x is 'Along what divides participants most.';
comment on column app_public.participant_position.y is 'Along what divides them second most.';
comment on column app_public.participant_position.group_key is
  'The key of their group; null for those who voted too little to be placed in one.';

create table app_private.opinion_group_stats (
  run_id bigint not null,
  opinion_id bigint not null,
  agrees integer[] not null,
  disagrees integer[] not null,
  passes integer[] not null,
  standing app_public.opinion_standing,
  consensus double precision not null,
  dissent double precision not null,
  divisiveness double precision not null,
  extremity double precision not null,
  priority double precision not null,
  primary key (run_id, opinion_id)
);

comment on table app_private.opinion_group_stats is
  'What an analysis says of each opinion with votes.';
comment on column app_private.opinion_group_stats.run_id is 'The analysis.';
comment on column app_private.opinion_group_stats.opinion_id is 'The opinion.';
comment on column app_private.opinion_group_stats.agrees is
  'Members who agree, group by group in the order of analysis_run.group_keys.';
comment on column app_private.opinion_group_stats.disagrees is 'Members who disagree, likewise.';
comment on column app_private.opinion_group_stats.passes is 'Members who pass, likewise.';
comment on column app_private.opinion_group_stats.standing is
  'How the groups stand to it; null where that is not clear.';
comment on column app_private.opinion_group_stats.consensus is
  'Group-aware consensus: the product over groups of the probability to agree.';
comment on column app_private.opinion_group_stats.dissent is 'The same of the one to disagree.';
comment on column app_private.opinion_group_stats.divisiveness is
  'The greatest probability that a member of one group agrees and one of another disagrees.';
comment on column app_private.opinion_group_stats.extremity is
  'How far from the centre somebody stands who only agrees with it.';
comment on column app_private.opinion_group_stats.priority is
  'How much it is worth to be shown to somebody who has not voted on it.';

create table app_public.representative_opinion (
  run_id bigint not null,
  group_key smallint not null,
  rank integer not null,
  opinion_id bigint not null,
  direction app_public.vote_choice not null,
  is_selected boolean not null,
  is_best_agree boolean not null,
  success_count integer not null,
  vote_count integer not null,
  probability double precision not null,
  probability_test double precision not null,
  ratio double precision not null,
  ratio_test double precision not null,
  primary key (run_id, group_key, rank),
  constraint representative_opinion_group_fkey foreign key (run_id, group_key)
    references app_public.opinion_group (run_id, key) on delete cascade,
  constraint representative_opinion_direction_check check (direction in ('agree', 'disagree'))
);

comment on table app_public.representative_opinion is
  E'@behavior -query:resource:list -query:resource:connection -query:resource:single\n'
  '@foreignKey (opinion_id) references app_public.opinion (id)'
  '|@fieldName opinion|@backwardBehavior -list -connection\n'
  'An opinion that tells a group from the others by how it votes on it.';
comment on column app_public.representative_opinion.run_id is 'The analysis.';
comment on column app_public.representative_opinion.group_key is 'The key of the group.';
comment on column app_public.representative_opinion.rank is
  'Its place, from 1: the selected ones first, then the others by how strongly they tell.';
comment on column app_public.representative_opinion.opinion_id is 'The opinion.';
comment on column app_public.representative_opinion.direction is
  'Whether the group is told by agreeing or by disagreeing with it.';
comment on column app_public.representative_opinion.is_selected is
  'Whether it is among the five at most that describe the group best.';
comment on column app_public.representative_opinion.is_best_agree is
  'Whether it is the one that the group agrees with best.';
comment on column app_public.representative_opinion.success_count is
  'Members who vote in that direction.';
comment on column app_public.representative_opinion.vote_count is 'Members who vote on it.';
comment on column app_public.representative_opinion.probability is
  'How likely a member votes in that direction.';
comment on column app_public.representative_opinion.probability_test is
  'z score of more than half of the group voting so.';
comment on column app_public.representative_opinion.ratio is
  'How much likelier a member votes so than anybody else.';
comment on column app_public.representative_opinion.ratio_test is
  'z score of the group voting so more often than everybody else.';

create table app_public.consensus_opinion (
  run_id bigint not null references app_public.analysis_run (id) on delete cascade,
  direction app_public.vote_choice not null,
  rank integer not null,
  opinion_id bigint not null,
  success_count integer not null,
  vote_count integer not null,
  probability double precision not null,
  probability_test double precision not null,
  primary key (run_id, direction, rank),
  constraint consensus_opinion_direction_check check (direction in ('agree', 'disagree'))
);

comment on table app_public.consensus_opinion is
  E'@behavior -query:resource:list -query:resource:connection -query:resource:single\n'
  '@foreignKey (opinion_id) references app_public.opinion (id)'
  '|@fieldName opinion|@backwardBehavior -list -connection\n'
  'An opinion on which the conversation as a whole is of one mind.';
comment on column app_public.consensus_opinion.run_id is 'The analysis.';
comment on column app_public.consensus_opinion.direction is
  'Whether most agree or most disagree with it.';
comment on column app_public.consensus_opinion.rank is
  'Its place, from 1 to 5, among those of its direction.';
comment on column app_public.consensus_opinion.opinion_id is 'The opinion.';
comment on column app_public.consensus_opinion.success_count is
  'Participants who vote in that direction.';
comment on column app_public.consensus_opinion.vote_count is 'Participants who vote on it.';
comment on column app_public.consensus_opinion.probability is
  'How likely a participant votes in that direction.';
comment on column app_public.consensus_opinion.probability_test is
  'z score of more than half of the participants voting so.';

/*
 * The two large tables have no foreign key to the run: checking it row by row takes two thirds of
 * the time that a result takes to write. What holds them together is that rows are written with
 * their run, and go with it.
 */
create function app_private.tg_analysis_run__delete_results()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path to ''
as $$
begin
  delete from app_private.opinion_group_stats s
    where s.run_id in (select r.id from old_rows r);
  delete from app_public.participant_position p
    where p.run_id in (select r.id from old_rows r);
  return null;
end
$$;

comment on function app_private.tg_analysis_run__delete_results() is
  'Takes along the opinions and positions of deleted results.';

create trigger _500_delete_results
  after delete on app_public.analysis_run
  referencing old table as old_rows
  for each statement
  execute function app_private.tg_analysis_run__delete_results();

/*
 * The lane: requests are numbered, and a result says which it covers, so that a vote that arrives
 * during a run is seen to ask for another.
 */
create table app_private.analysis_request (
  conversation_id bigint primary key references app_public.conversation (id) on delete cascade,
  requested bigint not null default 0,
  requested_at timestamptz,
  published bigint not null default 0,
  failed_at timestamptz,
  last_error text
);

comment on table app_private.analysis_request is
  'Which analysis of a conversation was asked for last, and which its published result covers.';
comment on column app_private.analysis_request.conversation_id is 'The conversation.';
comment on column app_private.analysis_request.requested is
  'How often an analysis was asked for: the number of the last request.';
comment on column app_private.analysis_request.requested_at is 'When that was.';
comment on column app_private.analysis_request.published is
  'The last request that the published result covers.';
comment on column app_private.analysis_request.failed_at is
  'When an analysis was last given up after all its attempts; null since one has succeeded.';
comment on column app_private.analysis_request.last_error is 'Why.';

comment on constraint analysis_run_conversation_id_fkey on app_public.analysis_run is
  '@backwardBehavior -list -connection -single';
comment on constraint opinion_group_run_id_fkey on app_public.opinion_group is
  E'@fieldName analysis\n@foreignFieldName groups';
comment on constraint representative_opinion_group_fkey on app_public.representative_opinion is
  E'@fieldName group\n@foreignFieldName representativeOpinions';
comment on constraint consensus_opinion_run_id_fkey on app_public.consensus_opinion is
  E'@fieldName analysis\n@foreignFieldName consensusOpinions';

alter table app_public.analysis_run enable row level security;
alter table app_public.opinion_group enable row level security;
alter table app_public.participant_position enable row level security;
alter table app_public.representative_opinion enable row level security;
alter table app_public.consensus_opinion enable row level security;
alter table app_private.group_label enable row level security;
alter table app_private.opinion_group_stats enable row level security;
alter table app_private.analysis_request enable row level security;

-- The published result of every conversation that one can see, and nothing of earlier ones.
create policy analysis_run_select on app_public.analysis_run for select
  to app_anonymous, app_account, app_moderator
  using (is_published and exists (
    select from app_public.conversation c where c.id = conversation_id
  ));
create policy opinion_group_select on app_public.opinion_group for select
  to app_anonymous, app_account, app_moderator
  using (exists (select from app_public.analysis_run r where r.id = run_id));
create policy participant_position_select on app_public.participant_position for select
  to app_anonymous, app_account, app_moderator
  using (exists (select from app_public.analysis_run r where r.id = run_id));
create policy representative_opinion_select on app_public.representative_opinion for select
  to app_anonymous, app_account, app_moderator
  using (exists (select from app_public.analysis_run r where r.id = run_id));
create policy consensus_opinion_select on app_public.consensus_opinion for select
  to app_anonymous, app_account, app_moderator
  using (exists (select from app_public.analysis_run r where r.id = run_id));

grant select on app_public.analysis_run, app_public.opinion_group,
  app_public.representative_opinion, app_public.consensus_opinion
  to app_anonymous, app_account, app_moderator;
-- Not account_id: where others stand is shown, who they are is not.
grant select (run_id, point, x, y, group_key) on app_public.participant_position
  to app_anonymous, app_account, app_moderator;
