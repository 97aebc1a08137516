/*
 * Deliberation: people write short opinions in a conversation and vote on each other's.
 *
 * opinion_vote is the hot table. It carries conversation_id, so that a conversation's counters, its
 * latest vote and its export need no join, and references the conversation only through its
 * opinion: a vote's foreign keys lock (key share) the opinion and the voter, nothing that another
 * voter would wait for. Beside its primary key it has the two indexes that a list and a computed
 * column need.
 *
 * Content is soft-deleted. Counter columns are written by the engine only;
 * db/derived/deliberation.sql says what they count.
 */
create type app_public.vote_choice as enum ('agree', 'disagree', 'pass');
create type app_public.moderation_action as enum ('moved', 'hidden');
create type app_public.moderation_decision as enum ('move', 'hide', 'withdraw');
create type app_public.conversation_action as enum ('locked', 'closed');

comment on type app_public.vote_choice is 'What a voter thinks of an opinion.';
comment on type app_public.moderation_action is
  'moved: out of the lists and not counted, but seen by everybody; hidden: by moderators only.';
comment on type app_public.moderation_decision is
  'What a moderator decides on an opinion: to move it, to hide it, or to withdraw the moderation.';
comment on type app_public.conversation_action is
  'locked: by a moderator; closed: by its owner or a moderator. Neither takes votes or opinions.';

create table app_public.conversation (
  id bigint generated always as identity primary key,
  owner_id bigint not null references app_public.account (id),
  topic text not null,
  description text not null default '',
  created_at timestamptz not null default now(),
  locked_at timestamptz,
  closed_at timestamptz,
  deleted_at timestamptz,
  opinion_count bigint not null default 0,
  vote_count bigint not null default 0,
  participant_count bigint not null default 0,
  total_opinion_count bigint not null default 0,
  total_vote_count bigint not null default 0,
  total_participant_count bigint not null default 0,
  moderated_opinion_count bigint not null default 0,
  hidden_opinion_count bigint not null default 0,
  constraint conversation_topic_check check (
    char_length(topic) <= 300 and btrim(topic, E' \t\r\n') <> ''
  ),
  constraint conversation_description_check check (char_length(description) <= 20000)
);
create index conversation_owner_id_idx on app_public.conversation (owner_id, id);
create index conversation_vote_count_idx on app_public.conversation (vote_count, id);
create index conversation_participant_count_idx on app_public.conversation (participant_count, id);

comment on table app_public.conversation is
  'A question put to everybody, answered by opinions and votes on them.';
comment on column app_public.conversation.id is 'Identifies the conversation.';
comment on column app_public.conversation.owner_id is 'The account that began it.';
comment on column app_public.conversation.topic is 'What it is about, at most 300 characters.';
comment on column app_public.conversation.description is
  'What a participant should know, at most 20,000 characters.';
comment on column app_public.conversation.created_at is 'When it began.';
comment on column app_public.conversation.locked_at is
  'Since when a moderator keeps it locked; null if not locked.';
comment on column app_public.conversation.closed_at is
  'Since when it is closed; null while it is open.';
comment on column app_public.conversation.deleted_at is 'When it was deleted.';
comment on column app_public.conversation.opinion_count is
  'Opinions, seed opinions included, without deleted and moderated ones.';
comment on column app_public.conversation.vote_count is
  'Votes on them: agree, disagree and pass, without cancelled ones.';
comment on column app_public.conversation.participant_count is
  'Accounts that cast one of these votes.';
comment on column app_public.conversation.total_opinion_count is
  'Opinions, moderated ones included.';
comment on column app_public.conversation.total_vote_count is
  'Votes, those on moderated opinions included.';
comment on column app_public.conversation.total_participant_count is
  'Accounts that cast a vote, be it on a moderated opinion.';
comment on column app_public.conversation.moderated_opinion_count is
  'Opinions that a moderator has moved.';
comment on column app_public.conversation.hidden_opinion_count is
  'Opinions that a moderator has hidden.';

create table app_public.opinion (
  id bigint generated always as identity primary key,
  conversation_id bigint not null references app_public.conversation (id) on delete cascade,
  author_id bigint not null references app_public.account (id),
  content text not null,
  is_seed boolean not null default false,
  moderation app_public.moderation_action,
  created_at timestamptz not null default now(),
  deleted_at timestamptz,
  agree_count bigint not null default 0,
  disagree_count bigint not null default 0,
  pass_count bigint not null default 0,
  constraint opinion_id_conversation_id_key unique (id, conversation_id),
  constraint opinion_content_check check (
    char_length(content) <= 2000 and btrim(content, E' \t\r\n') <> ''
  )
);
-- The first serves the foreign key and the order by agreement, the others the lists of what is and
-- is not moderated. These go by time and not by id alone: in the order of the primary key the
-- planner would walk all conversations' opinions, newest first, to fill the page of an old one.
create index opinion_conversation_id_idx
  on app_public.opinion (conversation_id, agree_count, id);
create index opinion_conversation_id_listed_idx
  on app_public.opinion (conversation_id, created_at, id)
  where deleted_at is null and moderation is null;
create index opinion_conversation_id_moderated_idx
  on app_public.opinion (conversation_id, created_at, id)
  where deleted_at is null and moderation is not null;
create index opinion_author_id_idx on app_public.opinion (author_id, id);

comment on table app_public.opinion is 'A short statement that others agree or disagree with.';
comment on column app_public.opinion.id is 'Identifies the opinion.';
comment on column app_public.opinion.conversation_id is 'The conversation that it belongs to.';
comment on column app_public.opinion.author_id is 'The account that wrote it.';
comment on column app_public.opinion.content is 'The statement, at most 2,000 characters.';
comment on column app_public.opinion.is_seed is
  'Whether it was put there to begin with: its author casts no vote by writing it.';
comment on column app_public.opinion.moderation is
  'Whether a moderator has moved or hidden it; null if neither.';
comment on column app_public.opinion.created_at is E'@isIndexed\nWhen it was written.';
comment on column app_public.opinion.deleted_at is 'When its author deleted it.';
comment on column app_public.opinion.agree_count is
  'Votes that agree, without cancelled ones; a moderated opinion keeps them.';
comment on column app_public.opinion.disagree_count is
  'Votes that disagree, without cancelled ones; a moderated opinion keeps them.';
comment on column app_public.opinion.pass_count is
  'Votes that pass, without cancelled ones; a moderated opinion keeps them.';

create table app_public.opinion_vote (
  opinion_id bigint not null,
  voter_id bigint not null references app_public.account (id),
  conversation_id bigint not null,
  choice app_public.vote_choice not null,
  cast_at timestamptz not null default now(),
  cancelled_at timestamptz,
  primary key (opinion_id, voter_id),
  constraint opinion_vote_opinion_id_conversation_id_fkey foreign key (opinion_id, conversation_id)
    references app_public.opinion (id, conversation_id) on delete cascade
);
create index opinion_vote_voter_id_idx
  on app_public.opinion_vote (voter_id, conversation_id, opinion_id);
create index opinion_vote_conversation_id_idx
  on app_public.opinion_vote (conversation_id, cast_at);

comment on table app_public.opinion_vote is
  E'@behavior -query:resource:list -query:resource:connection\n'
  'A vote on an opinion, one per voter: its voter may change or cancel it, and alone can see it.';
comment on column app_public.opinion_vote.opinion_id is 'The opinion voted on.';
comment on column app_public.opinion_vote.voter_id is 'The account that voted.';
comment on column app_public.opinion_vote.conversation_id is 'The conversation of the opinion.';
comment on column app_public.opinion_vote.choice is 'What the voter thinks of the opinion.';
comment on column app_public.opinion_vote.cast_at is 'When the vote was cast or last changed.';
comment on column app_public.opinion_vote.cancelled_at is
  'When the voter cancelled the vote; null while it stands. Casting again clears it.';

create table app_public.opinion_moderation (
  id bigint generated always as identity primary key,
  opinion_id bigint not null references app_public.opinion (id) on delete cascade,
  moderator_id bigint not null references app_public.account (id),
  action app_public.moderation_action not null,
  reason text not null default '',
  created_at timestamptz not null default now(),
  withdrawn_at timestamptz,
  withdrawn_by_id bigint references app_public.account (id),
  constraint opinion_moderation_reason_check check (char_length(reason) <= 2000),
  constraint opinion_moderation_withdrawn_check check (
    withdrawn_by_id is null or withdrawn_at is not null
  )
);
create index opinion_moderation_opinion_id_idx on app_public.opinion_moderation (opinion_id, id);
create unique index opinion_moderation_opinion_id_key on app_public.opinion_moderation (opinion_id)
  where withdrawn_at is null;
create index opinion_moderation_moderator_id_idx on app_public.opinion_moderation (moderator_id);
create index opinion_moderation_withdrawn_by_id_idx
  on app_public.opinion_moderation (withdrawn_by_id);

comment on table app_public.opinion_moderation is
  E'@behavior -query:resource:list -query:resource:connection\n'
  'What moderators decided on opinions, and why; at most one decision stands at a time.';
comment on column app_public.opinion_moderation.id is 'Identifies the decision.';
comment on column app_public.opinion_moderation.opinion_id is 'The opinion.';
comment on column app_public.opinion_moderation.moderator_id is 'The moderator who decided.';
comment on column app_public.opinion_moderation.action is 'What was decided.';
comment on column app_public.opinion_moderation.reason is 'Why, at most 2,000 characters.';
comment on column app_public.opinion_moderation.created_at is 'When it was decided.';
comment on column app_public.opinion_moderation.withdrawn_at is
  'When it was withdrawn or replaced; null while it stands.';
comment on column app_public.opinion_moderation.withdrawn_by_id is
  'The moderator who withdrew or replaced it.';

create table app_public.conversation_moderation (
  id bigint generated always as identity primary key,
  conversation_id bigint not null references app_public.conversation (id) on delete cascade,
  moderator_id bigint not null references app_public.account (id),
  action app_public.conversation_action not null,
  reason text not null default '',
  created_at timestamptz not null default now(),
  withdrawn_at timestamptz,
  withdrawn_by_id bigint references app_public.account (id),
  constraint conversation_moderation_reason_check check (char_length(reason) <= 2000),
  constraint conversation_moderation_withdrawn_check check (
    withdrawn_by_id is null or withdrawn_at is not null
  )
);
create index conversation_moderation_conversation_id_idx
  on app_public.conversation_moderation (conversation_id, id);
create unique index conversation_moderation_conversation_id_action_key
  on app_public.conversation_moderation (conversation_id, action) where withdrawn_at is null;
create index conversation_moderation_moderator_id_idx
  on app_public.conversation_moderation (moderator_id);
create index conversation_moderation_withdrawn_by_id_idx
  on app_public.conversation_moderation (withdrawn_by_id);

comment on table app_public.conversation_moderation is
  E'@behavior -query:resource:list -query:resource:connection\n'
  'Who locked or closed a conversation, when and why, and who undid it.';
comment on column app_public.conversation_moderation.id is 'Identifies the decision.';
comment on column app_public.conversation_moderation.conversation_id is 'The conversation.';
comment on column app_public.conversation_moderation.moderator_id is
  'The account that decided: a moderator, or the owner who closed the conversation.';
comment on column app_public.conversation_moderation.action is 'What was decided.';
comment on column app_public.conversation_moderation.reason is 'Why, at most 2,000 characters.';
comment on column app_public.conversation_moderation.created_at is 'When it was decided.';
comment on column app_public.conversation_moderation.withdrawn_at is
  'When it was undone; null while it stands.';
comment on column app_public.conversation_moderation.withdrawn_by_id is
  'The account that undid it.';

/*
 * What the API shows of the tables above. Votes, accounts and moderations are listed by what they
 * belong to; votes have one list, their voter's in a conversation.
 */
comment on constraint opinion_id_conversation_id_key on app_public.opinion is '@behavior -single';
comment on constraint conversation_owner_id_fkey on app_public.conversation is
  '@foreignFieldName ownedConversations';
comment on constraint opinion_author_id_fkey on app_public.opinion is '@foreignFieldName opinions';
comment on constraint opinion_vote_opinion_id_conversation_id_fkey on app_public.opinion_vote is
  E'@fieldName opinion\n@backwardBehavior -list -connection';
comment on constraint opinion_vote_voter_id_fkey on app_public.opinion_vote is
  '@backwardBehavior -list -connection';
comment on constraint opinion_moderation_opinion_id_fkey on app_public.opinion_moderation is
  '@foreignFieldName moderations';
comment on constraint opinion_moderation_moderator_id_fkey on app_public.opinion_moderation is
  '@backwardBehavior -list -connection';
comment on constraint opinion_moderation_withdrawn_by_id_fkey on app_public.opinion_moderation is
  E'@fieldName withdrawnBy\n@backwardBehavior -list -connection';
comment on constraint conversation_moderation_conversation_id_fkey
  on app_public.conversation_moderation is '@foreignFieldName moderations';
comment on constraint conversation_moderation_moderator_id_fkey
  on app_public.conversation_moderation is '@backwardBehavior -list -connection';
comment on constraint conversation_moderation_withdrawn_by_id_fkey
  on app_public.conversation_moderation is
  E'@fieldName withdrawnBy\n@backwardBehavior -list -connection';

/*
 * The two guards below are the with-check of the policies, so they hold for every statement of an
 * API role, however it came about, and raise what a client can show instead of answering false.
 * They run as their owner: a hidden opinion that its reader cannot see still has to be named as
 * moderated. They lock nothing: a vote that passes the guard while a moderation or lock is about to
 * commit counts as cast before it.
 */
create function app_hidden.require_open_conversation(conversation_id bigint)
  returns boolean
  language plpgsql
  stable
  security definer
  set search_path to ''
as $$
declare
  v_conversation app_public.conversation;
begin
  select c.* into v_conversation from app_public.conversation c
    where c.id = require_open_conversation.conversation_id and c.deleted_at is null;
  if v_conversation.id is null then
    raise exception 'There is no such conversation' using
      errcode = 'DL001',
      detail = pg_catalog.format('conversation %s', require_open_conversation.conversation_id),
      hint = 'It may have been deleted: reload the list of conversations.';
  end if;
  if v_conversation.locked_at is not null then
    raise exception 'This conversation is locked' using
      errcode = 'DL004',
      detail = pg_catalog.format('conversation %s, locked at %s',
        v_conversation.id, v_conversation.locked_at),
      hint = 'A moderator has locked it: it can be read, but takes neither votes nor opinions.';
  end if;
  if v_conversation.closed_at is not null then
    raise exception 'This conversation is closed' using
      errcode = 'DL005',
      detail = pg_catalog.format('conversation %s, closed at %s',
        v_conversation.id, v_conversation.closed_at),
      hint = 'It has ended: it can be read, but takes neither votes nor opinions.';
  end if;
  return true;
end
$$;

comment on function app_hidden.require_open_conversation(bigint) is
  'True for a conversation that takes votes and opinions; DL001, DL004 or DL005 for any other.';

create function app_hidden.require_votable_opinion(opinion_id bigint)
  returns boolean
  language plpgsql
  stable
  security definer
  set search_path to ''
as $$
declare
  v_opinion app_public.opinion;
begin
  select o.* into v_opinion from app_public.opinion o
    where o.id = require_votable_opinion.opinion_id and o.deleted_at is null;
  if v_opinion.id is null then
    raise exception 'There is no such opinion' using
      errcode = 'DL002',
      detail = pg_catalog.format('opinion %s', require_votable_opinion.opinion_id),
      hint = 'It may have been deleted: reload the conversation.';
  end if;
  if v_opinion.moderation is not null then
    raise exception 'This opinion is moderated and takes no votes' using
      errcode = 'DL003',
      detail = pg_catalog.format('opinion %s', v_opinion.id),
      hint = 'Reload the conversation: the opinion has left the list.';
  end if;
  return app_hidden.require_open_conversation(v_opinion.conversation_id);
end
$$;

comment on function app_hidden.require_votable_opinion(bigint) is
  'True for an opinion that takes votes; DL001 to DL005 for any other.';

grant execute on function
  app_hidden.require_open_conversation(bigint), app_hidden.require_votable_opinion(bigint)
  to app_anonymous, app_account, app_moderator;

alter table app_public.conversation enable row level security;
alter table app_public.opinion enable row level security;
alter table app_public.opinion_vote enable row level security;
alter table app_public.opinion_moderation enable row level security;
alter table app_public.conversation_moderation enable row level security;

create policy conversation_select on app_public.conversation for select
  to app_anonymous, app_account, app_moderator
  using (deleted_at is null or (select app_hidden.is_moderator()));
create policy conversation_insert on app_public.conversation for insert
  to app_account, app_moderator
  with check (owner_id = (select app_hidden.current_account_id()));
-- By role, because the columns that a role may write differ: a former moderator writes none of a
-- moderator's.
create policy conversation_update_by_owner on app_public.conversation for update
  to app_account
  using (deleted_at is null and owner_id = (select app_hidden.current_account_id()));
create policy conversation_update_by_moderator on app_public.conversation for update
  to app_moderator
  using (deleted_at is null and (select app_hidden.is_moderator()));

-- Authors see their own opinions in every state: they may delete a moderated one. Lists leave these
-- out.
create policy opinion_select on app_public.opinion for select
  to app_anonymous, app_account, app_moderator
  using (
    (deleted_at is null and moderation is distinct from 'hidden')
    or author_id = (select app_hidden.current_account_id())
    or (select app_hidden.is_moderator())
  );
create policy opinion_insert on app_public.opinion for insert
  to app_account, app_moderator
  with check (
    author_id = (select app_hidden.current_account_id())
    and app_hidden.require_open_conversation(conversation_id)
    and (not is_seed or (select app_hidden.is_moderator()) or exists (
      select from app_public.conversation c
      where c.id = conversation_id and c.owner_id = (select app_hidden.current_account_id())
    ))
  );
-- Nobody brings a deleted opinion back: only rows that are not deleted can be updated.
create policy opinion_update_by_author on app_public.opinion for update
  to app_account
  using (deleted_at is null and author_id = (select app_hidden.current_account_id()))
  with check (author_id = (select app_hidden.current_account_id()));
create policy opinion_update_by_moderator on app_public.opinion for update
  to app_moderator
  using (deleted_at is null and (select app_hidden.is_moderator()))
  with check ((select app_hidden.is_moderator()));

create policy opinion_vote_select on app_public.opinion_vote for select
  to app_anonymous, app_account, app_moderator
  using (voter_id = (select app_hidden.current_account_id()));
create policy opinion_vote_insert on app_public.opinion_vote for insert
  to app_account, app_moderator
  with check (
    voter_id = (select app_hidden.current_account_id())
    and app_hidden.require_votable_opinion(opinion_id)
  );
-- A vote can be cancelled wherever it is, as deleting an account has to; whether a person may is
-- cancel_vote's rule.
create policy opinion_vote_update on app_public.opinion_vote for update
  to app_account, app_moderator
  using (voter_id = (select app_hidden.current_account_id()))
  with check (
    voter_id = (select app_hidden.current_account_id())
    and (cancelled_at is not null or app_hidden.require_votable_opinion(opinion_id))
  );

create policy opinion_moderation_select on app_public.opinion_moderation for select
  to app_anonymous, app_account, app_moderator
  using (action = 'moved' or (select app_hidden.is_moderator()));
create policy opinion_moderation_insert on app_public.opinion_moderation for insert
  to app_moderator
  with check (
    (select app_hidden.is_moderator())
    and moderator_id = (select app_hidden.current_account_id())
  );
create policy opinion_moderation_update on app_public.opinion_moderation for update
  to app_moderator
  using ((select app_hidden.is_moderator()) and withdrawn_at is null)
  with check (withdrawn_by_id = (select app_hidden.current_account_id()));

create policy conversation_moderation_select on app_public.conversation_moderation for select
  to app_anonymous, app_account, app_moderator
  using (true);
create policy conversation_moderation_insert on app_public.conversation_moderation for insert
  to app_account, app_moderator
  with check (
    moderator_id = (select app_hidden.current_account_id())
    and ((select app_hidden.is_moderator()) or (action = 'closed' and exists (
      select from app_public.conversation c
      where c.id = conversation_id and c.owner_id = (select app_hidden.current_account_id())
    )))
  );
create policy conversation_moderation_update on app_public.conversation_moderation for update
  to app_account, app_moderator
  using (
    withdrawn_at is null
    and ((select app_hidden.is_moderator()) or (action = 'closed' and exists (
      select from app_public.conversation c
      where c.id = conversation_id and c.owner_id = (select app_hidden.current_account_id())
    )))
  )
  with check (withdrawn_by_id = (select app_hidden.current_account_id()));

grant select on app_public.conversation, app_public.opinion, app_public.opinion_vote,
  app_public.opinion_moderation, app_public.conversation_moderation
  to app_anonymous, app_account, app_moderator;
grant insert (owner_id, topic, description), update (closed_at)
  on app_public.conversation to app_account, app_moderator;
grant update (locked_at) on app_public.conversation to app_moderator;
grant insert (conversation_id, author_id, content, is_seed), update (deleted_at)
  on app_public.opinion to app_account, app_moderator;
grant update (moderation) on app_public.opinion to app_moderator;
grant insert (opinion_id, voter_id, conversation_id, choice), update (choice, cast_at, cancelled_at)
  on app_public.opinion_vote to app_account, app_moderator;
grant insert (opinion_id, moderator_id, action, reason), update (withdrawn_at, withdrawn_by_id)
  on app_public.opinion_moderation to app_moderator;
grant insert (conversation_id, moderator_id, action, reason), update (withdrawn_at, withdrawn_by_id)
  on app_public.conversation_moderation to app_account, app_moderator;
