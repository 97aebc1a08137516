/*
 * Discovery: people show projects, upvote and comment on them, collect them in chains and talk
 * there, validators award badges for what was proven, founders and investors ask for an intro.
 *
 * project_upvote is the hot table: its foreign keys lock (key share) the project and the voter,
 * nothing that another voter would wait for. What a person can switch on and off (an upvote, a
 * follow, a project's place in a chain, a badge) is one row that stays, so that switching is one
 * statement and the same row decides between two requests at once.
 *
 * Texts that others answer (comments, posts) are emptied when deleted and stay as a place for the
 * answers; everything else is soft-deleted. request_id is the client's own name for a request that
 * makes something: sent again it makes nothing again.
 *
 * Counter columns are written by the engine only; db/derived/discovery.sql says what they count.
 */
create type app_public.badge_kind as enum ('demo', 'source', 'users', 'revenue', 'demerit');
create type app_public.investor_stage as enum (
  'pre_seed', 'seed', 'series_a', 'series_b', 'growth'
);
create type app_public.intro_state as enum (
  'requested', 'accepted', 'declined', 'withdrawn', 'expired'
);

create type app_public.search_kind as enum ('project', 'person', 'chain', 'post', 'investor');

comment on type app_public.badge_kind is
  'What a validator has seen of a project: that it works (demo), its source, its users, its '
  'revenue; or that something it says is not so (demerit).';
comment on type app_public.investor_stage is 'At what stage of a company somebody invests.';
comment on type app_public.intro_state is
  'Requested until the other side accepts or declines, its sender withdraws it, or it expires.';
comment on type app_public.search_kind is 'What can be searched for.';

alter table app_private.account_role
  drop constraint account_role_role_check,
  add constraint account_role_role_check check (role in ('moderator', 'validator'));
comment on column app_private.account_role.role is
  'moderator: moderates opinions, locks conversations, deletes what others show; validator: awards '
  'badges.';

alter table app_public.account
  add column project_count bigint not null default 0,
  add column chain_count bigint not null default 0,
  add column comment_count bigint not null default 0,
  add column upvote_count bigint not null default 0,
  add column badge_count bigint not null default 0,
  add column proof_score bigint not null default 0,
  add column follower_count bigint not null default 0;

comment on column app_public.account.project_count is 'Projects that the account shows.';
comment on column app_public.account.chain_count is 'Chains that it keeps.';
comment on column app_public.account.comment_count is 'Comments that it has written.';
comment on column app_public.account.upvote_count is 'Upvotes of its projects.';
comment on column app_public.account.badge_count is 'Badges of its projects.';
comment on column app_public.account.proof_score is 'Points of these badges.';
comment on column app_public.account.follower_count is
  'Accounts that follow one of its chains.';

create table app_public.profile (
  account_id bigint primary key references app_public.account (id) on delete cascade,
  headline text not null default '',
  bio text not null default '',
  location text not null default '',
  skills text[] not null default '{}',
  website_url text,
  updated_at timestamptz not null default now(),
  constraint profile_headline_check check (char_length(headline) <= 160),
  constraint profile_bio_check check (char_length(bio) <= 4000),
  constraint profile_location_check check (char_length(location) <= 100),
  constraint profile_skills_check check (
    cardinality(skills) <= 20 and array_position(skills, null) is null
    and char_length(array_to_string(skills, '')) <= 600
  ),
  constraint profile_website_url_check check (
    char_length(website_url) <= 500 and website_url ~ '^https?://[^[:space:]]+$'
  )
);

comment on table app_public.profile is
  E'@behavior -query:resource:list -query:resource:connection\n'
  'What a person says about themselves.';
comment on column app_public.profile.account_id is 'The account.';
comment on column app_public.profile.headline is 'In one line, at most 160 characters.';
comment on column app_public.profile.bio is 'At length, at most 4,000 characters.';
comment on column app_public.profile.location is 'Where they are, at most 100 characters.';
comment on column app_public.profile.skills is
  'What they can do: at most 20 words or short phrases, in lower case.';
comment on column app_public.profile.website_url is 'Their own page.';
comment on column app_public.profile.updated_at is 'When it was last changed.';
comment on constraint profile_account_id_fkey on app_public.profile is
  '@foreignSingleFieldName profile';

create table app_public.project (
  id bigint generated always as identity primary key,
  owner_id bigint not null references app_public.account (id),
  title text not null,
  tagline text not null default '',
  description text not null default '',
  website_url text,
  tags text[] not null default '{}',
  request_id uuid,
  created_at timestamptz not null default now(),
  updated_at timestamptz,
  deleted_at timestamptz,
  upvote_count bigint not null default 0,
  comment_count bigint not null default 0,
  badge_count bigint not null default 0,
  proof_score bigint not null default 0,
  constraint project_title_check check (
    char_length(title) <= 120 and btrim(title, E' \t\r\n') <> ''
  ),
  constraint project_tagline_check check (char_length(tagline) <= 200),
  constraint project_description_check check (char_length(description) <= 20000),
  constraint project_website_url_check check (
    char_length(website_url) <= 500 and website_url ~ '^https?://[^[:space:]]+$'
  ),
  constraint project_tags_check check (
    cardinality(tags) <= 8 and array_position(tags, null) is null
    and char_length(array_to_string(tags, '')) <= 240
  )
);
create index project_owner_id_idx on app_public.project (owner_id, created_at, id);
create unique index project_owner_id_request_id_key on app_public.project (owner_id, request_id)
  where request_id is not null;

comment on table app_public.project is
  E'@behavior -query:resource:list -query:resource:connection\n'
  'Something that a person has made and shows to others.';
comment on column app_public.project.id is 'Identifies the project.';
comment on column app_public.project.owner_id is 'The account that shows it.';
comment on column app_public.project.title is 'Its name, at most 120 characters.';
comment on column app_public.project.tagline is 'In one line, at most 200 characters.';
comment on column app_public.project.description is 'At length, at most 20,000 characters.';
comment on column app_public.project.website_url is 'Where it can be seen.';
comment on column app_public.project.tags is
  'What it is about: at most 8 words or short phrases, in lower case.';
comment on column app_public.project.request_id is
  E'@behavior -attribute:select -attribute:filterBy -attribute:orderBy\n'
  'The client''s name for the request that made it.';
comment on column app_public.project.created_at is E'@isIndexed\nWhen it was first shown.';
comment on column app_public.project.updated_at is
  'When its owner last changed it; null if never.';
comment on column app_public.project.deleted_at is 'When it was deleted.';
comment on column app_public.project.upvote_count is 'Upvotes that stand.';
comment on column app_public.project.comment_count is 'Comments and replies, without deleted ones.';
comment on column app_public.project.badge_count is 'Badges that stand.';
comment on column app_public.project.proof_score is 'The points of these badges.';

create table app_public.project_upvote (
  project_id bigint not null references app_public.project (id) on delete cascade,
  account_id bigint not null references app_public.account (id),
  created_at timestamptz not null default now(),
  withdrawn_at timestamptz,
  primary key (project_id, account_id)
);
create index project_upvote_account_id_idx
  on app_public.project_upvote (account_id, created_at, project_id);

comment on table app_public.project_upvote is
  E'@behavior -query:resource:list -query:resource:connection -query:resource:single\n'
  'An upvote of a project, one per account: the account may withdraw it, and alone can see it.';
comment on column app_public.project_upvote.project_id is 'The project.';
comment on column app_public.project_upvote.account_id is 'The account that upvoted it.';
comment on column app_public.project_upvote.created_at is E'@isIndexed\nWhen it was last given.';
comment on column app_public.project_upvote.withdrawn_at is
  'When it was withdrawn; null while it stands. Giving it again clears it.';

create table app_public.project_comment (
  id bigint generated always as identity primary key,
  project_id bigint not null references app_public.project (id) on delete cascade,
  author_id bigint not null references app_public.account (id),
  parent_id bigint,
  content text not null,
  request_id uuid,
  created_at timestamptz not null default now(),
  edited_at timestamptz,
  deleted_at timestamptz,
  reply_count bigint not null default 0,
  constraint project_comment_id_project_id_key unique (id, project_id),
  constraint project_comment_parent_id_project_id_fkey foreign key (parent_id, project_id)
    references app_public.project_comment (id, project_id) on delete cascade,
  constraint project_comment_content_check check (
    char_length(content) <= 5000
    and (btrim(content, E' \t\r\n') = '') = (deleted_at is not null)
  )
);
create index project_comment_project_id_idx on app_public.project_comment (project_id);
create index project_comment_project_id_thread_idx
  on app_public.project_comment (project_id, created_at, id) where parent_id is null;
create index project_comment_parent_id_idx
  on app_public.project_comment (parent_id, created_at, id);
create index project_comment_author_id_idx on app_public.project_comment (author_id, id);
create unique index project_comment_author_id_request_id_key
  on app_public.project_comment (author_id, request_id) where request_id is not null;

comment on table app_public.project_comment is
  E'@behavior -query:resource:list -query:resource:connection\n'
  'What somebody has to say about a project, or in reply to such a comment. One that is deleted '
  'stays without its text.';
comment on column app_public.project_comment.id is 'Identifies the comment.';
comment on column app_public.project_comment.project_id is 'The project.';
comment on column app_public.project_comment.author_id is 'The account that wrote it.';
comment on column app_public.project_comment.parent_id is
  'The comment that it replies to, which is no reply itself; null for a comment on the project.';
comment on column app_public.project_comment.content is
  'The text, at most 5,000 characters; empty once deleted.';
comment on column app_public.project_comment.request_id is
  E'@behavior -attribute:select -attribute:filterBy -attribute:orderBy\n'
  'The client''s name for the request that made it.';
comment on column app_public.project_comment.created_at is E'@isIndexed\nWhen it was written.';
comment on column app_public.project_comment.edited_at is
  'When its author last changed it; null if never.';
comment on column app_public.project_comment.deleted_at is 'When it was deleted.';
comment on column app_public.project_comment.reply_count is 'Replies, without deleted ones.';

create table app_public.badge (
  id bigint generated always as identity primary key,
  project_id bigint not null references app_public.project (id) on delete cascade,
  validator_id bigint not null references app_public.account (id),
  kind app_public.badge_kind not null,
  points smallint not null,
  note text not null default '',
  awarded_at timestamptz not null default now(),
  revoked_at timestamptz,
  revoked_by_id bigint references app_public.account (id),
  constraint badge_note_check check (char_length(note) <= 2000),
  constraint badge_revoked_check check (revoked_by_id is null or revoked_at is not null)
);
create index badge_project_id_idx on app_public.badge (project_id, id);
create unique index badge_project_id_kind_key on app_public.badge (project_id, kind)
  where revoked_at is null;
create index badge_validator_id_idx on app_public.badge (validator_id);
create index badge_revoked_by_id_idx on app_public.badge (revoked_by_id);

comment on table app_public.badge is
  E'@behavior -query:resource:list -query:resource:connection\n'
  'What a validator vouches for: at most one badge of a kind stands on a project.';
comment on column app_public.badge.id is 'Identifies the badge.';
comment on column app_public.badge.project_id is 'The project.';
comment on column app_public.badge.validator_id is 'The validator who awarded it.';
comment on column app_public.badge.kind is 'What was proven.';
comment on column app_public.badge.points is 'How much it adds to the proof score.';
comment on column app_public.badge.note is 'What the validator saw, at most 2,000 characters.';
comment on column app_public.badge.awarded_at is 'When it was awarded.';
comment on column app_public.badge.revoked_at is 'When it was revoked; null while it stands.';
comment on column app_public.badge.revoked_by_id is 'The validator who revoked it.';

create table app_public.chain (
  id bigint generated always as identity primary key,
  owner_id bigint not null references app_public.account (id),
  slug text not null,
  name text not null,
  description text not null default '',
  request_id uuid,
  created_at timestamptz not null default now(),
  updated_at timestamptz,
  deleted_at timestamptz,
  project_count bigint not null default 0,
  follower_count bigint not null default 0,
  post_count bigint not null default 0,
  reply_count bigint not null default 0,
  constraint chain_slug_key unique (slug),
  constraint chain_slug_check check (
    char_length(slug) between 2 and 60 and slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'
  ),
  constraint chain_name_check check (char_length(name) <= 80 and btrim(name, E' \t\r\n') <> ''),
  constraint chain_description_check check (char_length(description) <= 5000)
);
create index chain_owner_id_idx on app_public.chain (owner_id, created_at, id);
create unique index chain_owner_id_request_id_key on app_public.chain (owner_id, request_id)
  where request_id is not null;

comment on table app_public.chain is
  E'@behavior -query:resource:list -query:resource:connection\n'
  'A collection of projects on one subject, with a forum.';
comment on column app_public.chain.id is 'Identifies the chain.';
comment on column app_public.chain.owner_id is 'The account that keeps it.';
comment on column app_public.chain.slug is
  'Its name in addresses: 2 to 60 of a–z, 0–9 and single hyphens. It never changes, and a '
  'deleted chain keeps it.';
comment on column app_public.chain.name is 'Its name, at most 80 characters.';
comment on column app_public.chain.description is
  'What belongs in it, at most 5,000 characters.';
comment on column app_public.chain.request_id is
  E'@behavior -attribute:select -attribute:filterBy -attribute:orderBy\n'
  'The client''s name for the request that made it.';
comment on column app_public.chain.created_at is E'@isIndexed\nWhen it was begun.';
comment on column app_public.chain.updated_at is 'When its owner last changed it; null if never.';
comment on column app_public.chain.deleted_at is 'When it was deleted.';
comment on column app_public.chain.project_count is 'Projects in it, without deleted ones.';
comment on column app_public.chain.follower_count is 'Accounts that follow it.';
comment on column app_public.chain.post_count is 'Posts, without replies and deleted ones.';
comment on column app_public.chain.reply_count is 'Replies to posts, without deleted ones.';

create table app_public.chain_project (
  chain_id bigint not null references app_public.chain (id) on delete cascade,
  project_id bigint not null references app_public.project (id) on delete cascade,
  added_by_id bigint not null references app_public.account (id),
  added_at timestamptz not null default now(),
  removed_at timestamptz,
  primary key (chain_id, project_id)
);
create index chain_project_chain_id_added_at_idx
  on app_public.chain_project (chain_id, added_at, project_id) where removed_at is null;
create index chain_project_project_id_idx
  on app_public.chain_project (project_id, added_at, chain_id);
create index chain_project_added_by_id_idx on app_public.chain_project (added_by_id);

comment on table app_public.chain_project is
  E'@behavior -query:resource:list -query:resource:connection -query:resource:single\n'
  'That a project is in a chain.';
comment on column app_public.chain_project.chain_id is 'The chain.';
comment on column app_public.chain_project.project_id is 'The project.';
comment on column app_public.chain_project.added_by_id is
  'Who added it: the owner of the chain or of the project.';
comment on column app_public.chain_project.added_at is E'@isIndexed\nWhen it was last added.';
comment on column app_public.chain_project.removed_at is
  'When it was removed; null while it is in the chain. Adding it again clears it.';

create table app_public.chain_follow (
  chain_id bigint not null references app_public.chain (id) on delete cascade,
  account_id bigint not null references app_public.account (id),
  followed_at timestamptz not null default now(),
  unfollowed_at timestamptz,
  primary key (chain_id, account_id)
);
create index chain_follow_account_id_idx
  on app_public.chain_follow (account_id, followed_at, chain_id);

comment on table app_public.chain_follow is
  E'@behavior -query:resource:list -query:resource:connection -query:resource:single\n'
  'That an account follows a chain, which it alone can see.';
comment on column app_public.chain_follow.chain_id is 'The chain.';
comment on column app_public.chain_follow.account_id is 'The account that follows it.';
comment on column app_public.chain_follow.followed_at is
  E'@isIndexed\nWhen it last began to follow.';
comment on column app_public.chain_follow.unfollowed_at is
  'When it stopped; null while it follows. Following again clears it.';

create table app_public.chain_post (
  id bigint generated always as identity primary key,
  chain_id bigint not null references app_public.chain (id) on delete cascade,
  author_id bigint not null references app_public.account (id),
  parent_id bigint,
  title text not null default '',
  content text not null,
  request_id uuid,
  created_at timestamptz not null default now(),
  edited_at timestamptz,
  deleted_at timestamptz,
  reply_count bigint not null default 0,
  constraint chain_post_id_chain_id_key unique (id, chain_id),
  constraint chain_post_parent_id_chain_id_fkey foreign key (parent_id, chain_id)
    references app_public.chain_post (id, chain_id) on delete cascade,
  constraint chain_post_title_check check (
    char_length(title) <= 200
    and (btrim(title, E' \t\r\n') = '') = (parent_id is not null or deleted_at is not null)
  ),
  constraint chain_post_content_check check (
    char_length(content) <= 10000
    and (btrim(content, E' \t\r\n') = '') = (deleted_at is not null)
  )
);
create index chain_post_chain_id_idx on app_public.chain_post (chain_id, created_at);
create index chain_post_parent_id_idx on app_public.chain_post (parent_id, created_at, id);
create index chain_post_author_id_idx on app_public.chain_post (author_id, id);
create unique index chain_post_author_id_request_id_key
  on app_public.chain_post (author_id, request_id) where request_id is not null;

comment on table app_public.chain_post is
  E'@behavior -query:resource:list -query:resource:connection\n'
  'A post in the forum of a chain, or a reply to one. One that is deleted stays without its text.';
comment on column app_public.chain_post.id is 'Identifies the post.';
comment on column app_public.chain_post.chain_id is 'The chain.';
comment on column app_public.chain_post.author_id is 'The account that wrote it.';
comment on column app_public.chain_post.parent_id is
  'The post that it replies to, which is no reply itself; null for a post.';
comment on column app_public.chain_post.title is
  'What it is about, at most 200 characters; replies and deleted posts have none.';
comment on column app_public.chain_post.content is
  'The text, at most 10,000 characters; empty once deleted.';
comment on column app_public.chain_post.request_id is
  E'@behavior -attribute:select -attribute:filterBy -attribute:orderBy\n'
  'The client''s name for the request that made it.';
comment on column app_public.chain_post.created_at is E'@isIndexed\nWhen it was written.';
comment on column app_public.chain_post.edited_at is
  'When its author last changed it; null if never.';
comment on column app_public.chain_post.deleted_at is 'When it was deleted.';
comment on column app_public.chain_post.reply_count is 'Replies, without deleted ones.';

create table app_public.investor (
  id bigint generated always as identity primary key,
  account_id bigint not null references app_public.account (id),
  name text not null,
  headline text not null default '',
  thesis text not null default '',
  location text not null default '',
  website_url text,
  stages app_public.investor_stage[] not null default '{}',
  sectors text[] not null default '{}',
  min_check bigint,
  max_check bigint,
  is_open boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz,
  deleted_at timestamptz,
  intro_count bigint not null default 0,
  constraint investor_account_id_key unique (account_id),
  constraint investor_name_check check (char_length(name) <= 120 and btrim(name, E' \t\r\n') <> ''),
  constraint investor_headline_check check (char_length(headline) <= 200),
  constraint investor_thesis_check check (char_length(thesis) <= 5000),
  constraint investor_location_check check (char_length(location) <= 100),
  constraint investor_website_url_check check (
    char_length(website_url) <= 500 and website_url ~ '^https?://[^[:space:]]+$'
  ),
  constraint investor_stages_check check (
    cardinality(stages) <= 5 and array_position(stages, null) is null
  ),
  constraint investor_sectors_check check (
    cardinality(sectors) <= 12 and array_position(sectors, null) is null
    and char_length(array_to_string(sectors, '')) <= 360
  ),
  constraint investor_min_check_check check (min_check between 0 and 1000000000000),
  constraint investor_max_check_check check (
    max_check between 0 and 1000000000000 and max_check >= min_check
  )
);

comment on table app_public.investor is
  E'@behavior -query:resource:list -query:resource:connection\n'
  'What somebody who invests in projects says about that, one per account.';
comment on column app_public.investor.id is 'Identifies the investor.';
comment on column app_public.investor.account_id is 'The account.';
comment on column app_public.investor.name is
  'Under which name they invest, at most 120 characters.';
comment on column app_public.investor.headline is 'In one line, at most 200 characters.';
comment on column app_public.investor.thesis is
  'What they look for, at most 5,000 characters.';
comment on column app_public.investor.location is 'Where they are, at most 100 characters.';
comment on column app_public.investor.website_url is 'Their page.';
comment on column app_public.investor.stages is 'At which stages they invest.';
comment on column app_public.investor.sectors is
  'In what they invest: at most 12 words or short phrases, in lower case.';
comment on column app_public.investor.min_check is 'The least they invest, in US dollars.';
comment on column app_public.investor.max_check is 'The most they invest, in US dollars.';
comment on column app_public.investor.is_open is 'Whether founders may ask them for an intro.';
comment on column app_public.investor.created_at is E'@isIndexed\nWhen they joined the directory.';
comment on column app_public.investor.updated_at is
  'When they last changed this; null if never.';
comment on column app_public.investor.deleted_at is 'When they left the directory.';
comment on column app_public.investor.intro_count is 'Intros that were accepted.';

create table app_public.intro_request (
  id bigint generated always as identity primary key,
  project_id bigint not null references app_public.project (id) on delete cascade,
  investor_id bigint not null references app_public.investor (id) on delete cascade,
  requester_id bigint not null references app_public.account (id),
  recipient_id bigint not null references app_public.account (id),
  message text not null,
  state app_public.intro_state not null default 'requested',
  created_at timestamptz not null default now(),
  expires_at timestamptz not null default now() + interval '14 days',
  ended_at timestamptz,
  answer text not null default '',
  constraint intro_request_recipient_id_check check (recipient_id <> requester_id),
  constraint intro_request_message_check check (
    char_length(message) <= 2000 and btrim(message, E' \t\r\n') <> ''
  ),
  constraint intro_request_answer_check check (char_length(answer) <= 2000),
  constraint intro_request_ended_at_check check ((state = 'requested') = (ended_at is null))
);
create index intro_request_project_id_idx on app_public.intro_request (project_id);
create unique index intro_request_project_id_investor_id_key
  on app_public.intro_request (project_id, investor_id) where state in ('requested', 'accepted');
create index intro_request_investor_id_idx
  on app_public.intro_request (investor_id, project_id, id);
create index intro_request_requester_id_idx
  on app_public.intro_request (requester_id, created_at, id);
create index intro_request_recipient_id_idx
  on app_public.intro_request (recipient_id, created_at, id);
create index intro_request_expires_at_idx on app_public.intro_request (expires_at)
  where state = 'requested';

comment on table app_public.intro_request is
  E'@behavior -query:resource:list -query:resource:connection\n'
  'That the owner of a project asks an investor for an intro, or an investor the owner. Only these '
  'two see it; at most one is open or accepted between a project and an investor.';
comment on column app_public.intro_request.id is 'Identifies the request.';
comment on column app_public.intro_request.project_id is 'The project.';
comment on column app_public.intro_request.investor_id is 'The investor.';
comment on column app_public.intro_request.requester_id is 'The account that asks.';
comment on column app_public.intro_request.recipient_id is 'The account that is asked.';
comment on column app_public.intro_request.message is 'Why, at most 2,000 characters.';
comment on column app_public.intro_request.state is 'What became of it.';
comment on column app_public.intro_request.created_at is E'@isIndexed\nWhen it was sent.';
comment on column app_public.intro_request.expires_at is
  'Until when it can be accepted; open ones expire then.';
comment on column app_public.intro_request.ended_at is
  'When it was answered, withdrawn or expired; null while it is open.';
comment on column app_public.intro_request.answer is
  'What the recipient answered, at most 2,000 characters.';

/*
 * What the API shows of the tables above. Lists that leave out what is deleted or withdrawn, in an
 * order that an index serves, are functions; so are the relations of what only its owner sees.
 */
comment on constraint project_owner_id_fkey on app_public.project is
  '@backwardBehavior -list -connection';
comment on constraint project_upvote_project_id_fkey on app_public.project_upvote is
  '@backwardBehavior -list -connection';
comment on constraint project_upvote_account_id_fkey on app_public.project_upvote is
  '@backwardBehavior -list -connection';
comment on constraint project_comment_id_project_id_key on app_public.project_comment is
  '@behavior -single';
comment on constraint project_comment_project_id_fkey on app_public.project_comment is
  '@backwardBehavior -list -connection';
comment on constraint project_comment_parent_id_project_id_fkey on app_public.project_comment is
  E'@fieldName parent\n@backwardBehavior -list -connection';
comment on constraint project_comment_author_id_fkey on app_public.project_comment is
  '@backwardBehavior -list -connection';
comment on constraint badge_project_id_fkey on app_public.badge is '@foreignFieldName badges';
comment on constraint badge_validator_id_fkey on app_public.badge is
  '@backwardBehavior -list -connection';
comment on constraint badge_revoked_by_id_fkey on app_public.badge is
  E'@fieldName revokedBy\n@backwardBehavior -list -connection';
comment on constraint chain_owner_id_fkey on app_public.chain is
  '@backwardBehavior -list -connection';
comment on constraint chain_project_chain_id_fkey on app_public.chain_project is
  '@backwardBehavior -list -connection';
comment on constraint chain_project_project_id_fkey on app_public.chain_project is
  '@backwardBehavior -list -connection';
comment on constraint chain_project_added_by_id_fkey on app_public.chain_project is
  E'@fieldName addedBy\n@backwardBehavior -list -connection';
comment on constraint chain_follow_chain_id_fkey on app_public.chain_follow is
  '@backwardBehavior -list -connection';
comment on constraint chain_follow_account_id_fkey on app_public.chain_follow is
  '@backwardBehavior -list -connection';
comment on constraint chain_post_id_chain_id_key on app_public.chain_post is '@behavior -single';
comment on constraint chain_post_chain_id_fkey on app_public.chain_post is
  '@backwardBehavior -list -connection';
comment on constraint chain_post_parent_id_chain_id_fkey on app_public.chain_post is
  E'@fieldName parent\n@backwardBehavior -list -connection';
comment on constraint chain_post_author_id_fkey on app_public.chain_post is
  '@backwardBehavior -list -connection';
comment on constraint investor_account_id_fkey on app_public.investor is
  '@foreignSingleFieldName investor';
comment on constraint intro_request_project_id_fkey on app_public.intro_request is
  '@backwardBehavior -list -connection';
comment on constraint intro_request_investor_id_fkey on app_public.intro_request is
  '@backwardBehavior -list -connection';
comment on constraint intro_request_requester_id_fkey on app_public.intro_request is
  E'@fieldName requester\n@backwardBehavior -list -connection';
comment on constraint intro_request_recipient_id_fkey on app_public.intro_request is
  E'@fieldName recipient\n@backwardBehavior -list -connection';

/* As is_moderator, for validators; a validator needs no role of their own in a token. */
create function app_hidden.is_validator()
  returns boolean
  language sql
  stable
  parallel safe
  security definer
  set search_path to ''
return exists (
  select from app_private.account_role r
  join app_public.account a on a.id = r.account_id
  where r.account_id = app_hidden.current_account_id() and r.role = 'validator'
    and a.deleted_at is null and a.suspended_at is null
);

comment on function app_hidden.is_validator() is
  'Whether the transaction runs for an account that is a validator by now.';

/* How much a badge of each kind adds to the proof score. Written into the badge when awarded. */
create function app_hidden.badge_points(kind app_public.badge_kind)
  returns smallint
  language sql
  immutable
  parallel safe
  security invoker
return case badge_points.kind
  when 'demo' then 10
  when 'source' then 20
  when 'users' then 40
  when 'revenue' then 80
  when 'demerit' then -30
end;

comment on function app_hidden.badge_points(app_public.badge_kind) is
  'How much a badge adds to the proof score.';

/*
 * The guards below are the with-check of the policies, so they hold for every statement of an API
 * role, however it came about, and raise what a client can show instead of answering false. They
 * run as their owner: a block that its object cannot see still has to be respected. They lock
 * nothing: what passes a guard while a deletion or a block is about to commit counts as done
 * before it.
 */
create function app_hidden.require_project(project_id bigint)
  returns boolean
  language plpgsql
  stable
  security definer
  set search_path to ''
as $$
begin
  perform from app_public.project p
    where p.id = require_project.project_id and p.deleted_at is null;
  if not found then
    raise exception 'There is no such project' using
      errcode = 'DC001',
      detail = pg_catalog.format('project %s', require_project.project_id),
      hint = 'It may have been deleted: reload the list.';
  end if;
  return true;
end
$$;

comment on function app_hidden.require_project(bigint) is
  'True for a project that is not deleted; DC001 for any other.';

create function app_hidden.require_upvotable_project(project_id bigint)
  returns boolean
  language plpgsql
  stable
  security definer
  set search_path to ''
as $$
declare
  v_owner_id bigint;
begin
  select p.owner_id into v_owner_id from app_public.project p
    where p.id = require_upvotable_project.project_id and p.deleted_at is null;
  if not found then
    perform app_hidden.require_project(require_upvotable_project.project_id);
  end if;
  if v_owner_id = app_hidden.current_account_id() then
    raise exception 'Nobody upvotes their own project' using
      errcode = 'DC011',
      detail = pg_catalog.format('project %s', require_upvotable_project.project_id),
      hint = 'Upvotes are what others think of it.';
  end if;
  return true;
end
$$;

comment on function app_hidden.require_upvotable_project(bigint) is
  'True for a project that the caller may upvote; DC001 or DC011 for any other.';

create function app_hidden.require_unblocked(other_id bigint)
  returns boolean
  language plpgsql
  stable
  security definer
  set search_path to ''
as $$
begin
  if app_hidden.is_blocked_between(
    app_hidden.current_account_id(), require_unblocked.other_id
  ) then
    raise exception 'You cannot write to this account' using
      errcode = 'DC018',
      detail = pg_catalog.format('account %s', require_unblocked.other_id),
      hint = 'One of you has blocked the other.';
  end if;
  return true;
end
$$;

comment on function app_hidden.require_unblocked(bigint) is
  'True where neither the caller nor the other account blocks the other; DC018 otherwise.';

create function app_hidden.require_commentable(project_id bigint, parent_id bigint)
  returns boolean
  language plpgsql
  stable
  security definer
  set search_path to ''
as $$
declare
  v_project app_public.project;
  v_parent app_public.project_comment;
begin
  select p.* into v_project from app_public.project p
    where p.id = require_commentable.project_id and p.deleted_at is null;
  if v_project.id is null then
    perform app_hidden.require_project(require_commentable.project_id);
  end if;
  perform app_hidden.require_unblocked(v_project.owner_id);
  if require_commentable.parent_id is null then
    return true;
  end if;
  select c.* into v_parent from app_public.project_comment c
    where c.id = require_commentable.parent_id and c.project_id = v_project.id
      and c.deleted_at is null;
  if v_parent.id is null then
    raise exception 'There is no such comment' using
      errcode = 'DC002',
      detail = pg_catalog.format('comment %s on project %s',
        require_commentable.parent_id, v_project.id),
      hint = 'It may have been deleted: reload the project.';
  end if;
  if v_parent.parent_id is not null then
    raise exception 'A reply takes no replies' using
      errcode = 'DC017',
      detail = pg_catalog.format('comment %s', v_parent.id),
      hint = pg_catalog.format('Reply to comment %s, which it answers.', v_parent.parent_id);
  end if;
  return app_hidden.require_unblocked(v_parent.author_id);
end
$$;

comment on function app_hidden.require_commentable(bigint, bigint) is
  'True where the caller may comment or reply; DC001, DC002, DC017 or DC018 otherwise.';

create function app_hidden.require_chain(chain_id bigint)
  returns boolean
  language plpgsql
  stable
  security definer
  set search_path to ''
as $$
begin
  perform from app_public.chain c
    where c.id = require_chain.chain_id and c.deleted_at is null;
  if not found then
    raise exception 'There is no such chain' using
      errcode = 'DC003',
      detail = pg_catalog.format('chain %s', require_chain.chain_id),
      hint = 'It may have been deleted: reload the list of chains.';
  end if;
  return true;
end
$$;

comment on function app_hidden.require_chain(bigint) is
  'True for a chain that is not deleted; DC003 for any other.';

create function app_hidden.require_postable(chain_id bigint, parent_id bigint)
  returns boolean
  language plpgsql
  stable
  security definer
  set search_path to ''
as $$
declare
  v_chain app_public.chain;
  v_parent app_public.chain_post;
begin
  select c.* into v_chain from app_public.chain c
    where c.id = require_postable.chain_id and c.deleted_at is null;
  if v_chain.id is null then
    perform app_hidden.require_chain(require_postable.chain_id);
  end if;
  perform app_hidden.require_unblocked(v_chain.owner_id);
  if require_postable.parent_id is null then
    return true;
  end if;
  select p.* into v_parent from app_public.chain_post p
    where p.id = require_postable.parent_id and p.chain_id = v_chain.id
      and p.deleted_at is null;
  if v_parent.id is null then
    raise exception 'There is no such post' using
      errcode = 'DC004',
      detail = pg_catalog.format('post %s in chain %s', require_postable.parent_id, v_chain.id),
      hint = 'It may have been deleted: reload the chain.';
  end if;
  if v_parent.parent_id is not null then
    raise exception 'A reply takes no replies' using
      errcode = 'DC017',
      detail = pg_catalog.format('post %s', v_parent.id),
      hint = pg_catalog.format('Reply to post %s, which it answers.', v_parent.parent_id);
  end if;
  return app_hidden.require_unblocked(v_parent.author_id);
end
$$;

comment on function app_hidden.require_postable(bigint, bigint) is
  'True where the caller may post or reply; DC003, DC004, DC017 or DC018 otherwise.';

create function app_hidden.require_chain_curator(chain_id bigint, project_id bigint)
  returns boolean
  language plpgsql
  stable
  security definer
  set search_path to ''
as $$
declare
  v_account_id constant bigint := app_hidden.current_account_id();
begin
  perform app_hidden.require_chain(require_chain_curator.chain_id);
  perform app_hidden.require_project(require_chain_curator.project_id);
  perform from app_public.chain c, app_public.project p
    where c.id = require_chain_curator.chain_id and p.id = require_chain_curator.project_id
      and v_account_id in (c.owner_id, p.owner_id)
      and not app_hidden.is_blocked_between(c.owner_id, p.owner_id);
  if found then
    return true;
  end if;
  perform from app_public.chain c, app_public.project p
    where c.id = require_chain_curator.chain_id and p.id = require_chain_curator.project_id
      and v_account_id in (c.owner_id, p.owner_id);
  if not found then
    raise exception 'Only the owners of the chain and of the project may do this' using
      errcode = 'DC007',
      detail = pg_catalog.format('chain %s, project %s, account %s',
        require_chain_curator.chain_id, require_chain_curator.project_id, v_account_id),
      hint = 'Ask one of them.';
  end if;
  raise exception 'The owners of the chain and of the project keep apart' using
    errcode = 'DC018',
    detail = pg_catalog.format('chain %s, project %s',
      require_chain_curator.chain_id, require_chain_curator.project_id),
    hint = 'One of them has blocked the other.';
end
$$;

comment on function app_hidden.require_chain_curator(bigint, bigint) is
  'True where the caller may add the project to the chain; DC001, DC003, DC007 or DC018 otherwise.';

/* Asked by intro_request's policy: both sides are who they are said to be, and can be asked. */
create function app_hidden.require_introducible(
  project_id bigint, investor_id bigint, requester_id bigint, recipient_id bigint
)
  returns boolean
  language plpgsql
  stable
  security definer
  set search_path to ''
as $$
declare
  v_project app_public.project;
  v_investor app_public.investor;
begin
  select p.* into v_project from app_public.project p
    where p.id = require_introducible.project_id and p.deleted_at is null;
  if v_project.id is null then
    perform app_hidden.require_project(require_introducible.project_id);
  end if;
  select i.* into v_investor from app_public.investor i
    where i.id = require_introducible.investor_id and i.deleted_at is null;
  if v_investor.id is null then
    raise exception 'There is no such investor' using
      errcode = 'DC005',
      detail = pg_catalog.format('investor %s', require_introducible.investor_id),
      hint = 'They may have left: reload the directory.';
  end if;
  if v_project.owner_id = v_investor.account_id then
    raise exception 'You are the founder and the investor' using
      errcode = 'DC024',
      detail = pg_catalog.format('project %s, investor %s', v_project.id, v_investor.id),
      hint = 'An intro is between two people.';
  end if;
  if ((require_introducible.requester_id, require_introducible.recipient_id) in (
    (v_project.owner_id, v_investor.account_id), (v_investor.account_id, v_project.owner_id)
  )) is not true then
    raise exception 'Only the owner of the project and the investor may ask for this intro' using
      errcode = 'DC019',
      detail = pg_catalog.format('project %s, investor %s, account %s',
        v_project.id, v_investor.id, require_introducible.requester_id),
      hint = 'Ask for an intro for a project of your own, or as the investor that you are.';
  end if;
  if not v_investor.is_open and require_introducible.requester_id = v_project.owner_id then
    raise exception 'This investor takes no requests at present' using
      errcode = 'DC022',
      detail = pg_catalog.format('investor %s', v_investor.id),
      hint = 'Look for others in the directory.';
  end if;
  return app_hidden.require_unblocked(require_introducible.recipient_id);
end
$$;

comment on function app_hidden.require_introducible(bigint, bigint, bigint, bigint) is
  'True where the requester may ask; DC001, DC005, DC018, DC019, DC022 or DC024 otherwise.';

grant execute on function
  app_hidden.is_validator(), app_hidden.badge_points(app_public.badge_kind),
  app_hidden.require_project(bigint), app_hidden.require_upvotable_project(bigint),
  app_hidden.require_unblocked(bigint), app_hidden.require_commentable(bigint, bigint),
  app_hidden.require_chain(bigint), app_hidden.require_postable(bigint, bigint),
  app_hidden.require_chain_curator(bigint, bigint),
  app_hidden.require_introducible(bigint, bigint, bigint, bigint)
  to app_anonymous, app_account, app_moderator;

alter table app_public.profile enable row level security;
alter table app_public.project enable row level security;
alter table app_public.project_upvote enable row level security;
alter table app_public.project_comment enable row level security;
alter table app_public.badge enable row level security;
alter table app_public.chain enable row level security;
alter table app_public.chain_project enable row level security;
alter table app_public.chain_follow enable row level security;
alter table app_public.chain_post enable row level security;
alter table app_public.investor enable row level security;
alter table app_public.intro_request enable row level security;

create policy profile_select on app_public.profile for select
  to app_anonymous, app_account, app_moderator
  using (true);
create policy profile_insert on app_public.profile for insert
  to app_account, app_moderator
  with check (account_id = (select app_hidden.current_account_id()));
create policy profile_update on app_public.profile for update
  to app_account, app_moderator
  using (account_id = (select app_hidden.current_account_id()))
  with check (account_id = (select app_hidden.current_account_id()));

-- Owners see their own in every state: deleting returns it. Lists leave deleted ones out.
create policy project_select on app_public.project for select
  to app_anonymous, app_account, app_moderator
  using (
    deleted_at is null or owner_id = (select app_hidden.current_account_id())
    or (select app_hidden.is_moderator())
  );
create policy project_insert on app_public.project for insert
  to app_account, app_moderator
  with check (owner_id = (select app_hidden.current_account_id()));
-- A deleted project stays deleted: its row can no longer be written. Moderators delete what is
-- another's and change nothing else of it. The same below.
create policy project_update on app_public.project for update
  to app_account, app_moderator
  using (
    deleted_at is null and (
      owner_id = (select app_hidden.current_account_id()) or (select app_hidden.is_moderator())
    )
  )
  with check (
    deleted_at is not null or owner_id = (select app_hidden.current_account_id())
  );

create policy project_upvote_select on app_public.project_upvote for select
  to app_anonymous, app_account, app_moderator
  using (account_id = (select app_hidden.current_account_id()));
create policy project_upvote_insert on app_public.project_upvote for insert
  to app_account, app_moderator
  with check (
    account_id = (select app_hidden.current_account_id())
    and app_hidden.require_upvotable_project(project_id)
  );
-- Withdrawing is always allowed, as deleting an account has to; so it is for follows below.
create policy project_upvote_update on app_public.project_upvote for update
  to app_account, app_moderator
  using (account_id = (select app_hidden.current_account_id()))
  with check (
    account_id = (select app_hidden.current_account_id())
    and (withdrawn_at is not null or app_hidden.require_upvotable_project(project_id))
  );

create policy project_comment_select on app_public.project_comment for select
  to app_anonymous, app_account, app_moderator
  using (true);
create policy project_comment_insert on app_public.project_comment for insert
  to app_account, app_moderator
  with check (
    author_id = (select app_hidden.current_account_id())
    and app_hidden.require_commentable(project_id, parent_id)
  );
create policy project_comment_update on app_public.project_comment for update
  to app_account, app_moderator
  using (
    deleted_at is null and (
      author_id = (select app_hidden.current_account_id()) or (select app_hidden.is_moderator())
    )
  )
  with check (
    deleted_at is not null or author_id = (select app_hidden.current_account_id())
  );

create policy badge_select on app_public.badge for select
  to app_anonymous, app_account, app_moderator
  using (
    revoked_at is null or (select app_hidden.is_validator()) or (select app_hidden.is_moderator())
  );
create policy badge_insert on app_public.badge for insert
  to app_account, app_moderator
  with check (
    (select app_hidden.is_validator())
    and validator_id = (select app_hidden.current_account_id())
    and points = app_hidden.badge_points(kind)
    and app_hidden.require_project(project_id)
    and not exists (
      select from app_public.project p
      where p.id = project_id and p.owner_id = (select app_hidden.current_account_id())
    )
  );
create policy badge_update on app_public.badge for update
  to app_account, app_moderator
  using (revoked_at is null and (select app_hidden.is_validator()))
  with check (revoked_by_id = (select app_hidden.current_account_id()));

create policy chain_select on app_public.chain for select
  to app_anonymous, app_account, app_moderator
  using (
    deleted_at is null or owner_id = (select app_hidden.current_account_id())
    or (select app_hidden.is_moderator())
  );
create policy chain_insert on app_public.chain for insert
  to app_account, app_moderator
  with check (owner_id = (select app_hidden.current_account_id()));
create policy chain_update on app_public.chain for update
  to app_account, app_moderator
  using (
    deleted_at is null and (
      owner_id = (select app_hidden.current_account_id()) or (select app_hidden.is_moderator())
    )
  )
  with check (
    deleted_at is not null or owner_id = (select app_hidden.current_account_id())
  );

create policy chain_project_select on app_public.chain_project for select
  to app_anonymous, app_account, app_moderator
  using (true);
create policy chain_project_insert on app_public.chain_project for insert
  to app_account, app_moderator
  with check (
    added_by_id = (select app_hidden.current_account_id())
    and app_hidden.require_chain_curator(chain_id, project_id)
  );
create policy chain_project_update on app_public.chain_project for update
  to app_account, app_moderator
  using (
    exists (
      select from app_public.chain c
      where c.id = chain_id and c.owner_id = (select app_hidden.current_account_id())
    )
    or exists (
      select from app_public.project p
      where p.id = project_id and p.owner_id = (select app_hidden.current_account_id())
    )
  )
  with check (
    removed_at is not null or (
      added_by_id = (select app_hidden.current_account_id())
      and app_hidden.require_chain_curator(chain_id, project_id)
    )
  );

create policy chain_follow_select on app_public.chain_follow for select
  to app_anonymous, app_account, app_moderator
  using (account_id = (select app_hidden.current_account_id()));
create policy chain_follow_insert on app_public.chain_follow for insert
  to app_account, app_moderator
  with check (
    account_id = (select app_hidden.current_account_id()) and app_hidden.require_chain(chain_id)
  );
create policy chain_follow_update on app_public.chain_follow for update
  to app_account, app_moderator
  using (account_id = (select app_hidden.current_account_id()))
  with check (
    account_id = (select app_hidden.current_account_id())
    and (unfollowed_at is not null or app_hidden.require_chain(chain_id))
  );

create policy chain_post_select on app_public.chain_post for select
  to app_anonymous, app_account, app_moderator
  using (true);
create policy chain_post_insert on app_public.chain_post for insert
  to app_account, app_moderator
  with check (
    author_id = (select app_hidden.current_account_id())
    and app_hidden.require_postable(chain_id, parent_id)
  );
-- The keeper of a chain may delete what others post there, too.
create policy chain_post_update on app_public.chain_post for update
  to app_account, app_moderator
  using (
    deleted_at is null and (
      author_id = (select app_hidden.current_account_id())
      or exists (
        select from app_public.chain c
        where c.id = chain_id and c.owner_id = (select app_hidden.current_account_id())
      )
      or (select app_hidden.is_moderator())
    )
  )
  with check (
    deleted_at is not null or author_id = (select app_hidden.current_account_id())
  );

create policy investor_select on app_public.investor for select
  to app_anonymous, app_account, app_moderator
  using (
    deleted_at is null or account_id = (select app_hidden.current_account_id())
    or (select app_hidden.is_moderator())
  );
create policy investor_insert on app_public.investor for insert
  to app_account, app_moderator
  with check (account_id = (select app_hidden.current_account_id()));
-- Who has left may come back: the account may save a deleted row again.
create policy investor_update on app_public.investor for update
  to app_account, app_moderator
  using (
    account_id = (select app_hidden.current_account_id())
    or (deleted_at is null and (select app_hidden.is_moderator()))
  )
  with check (
    account_id = (select app_hidden.current_account_id()) or deleted_at is not null
  );

create policy intro_request_select on app_public.intro_request for select
  to app_anonymous, app_account, app_moderator
  using (
    requester_id = (select app_hidden.current_account_id())
    or recipient_id = (select app_hidden.current_account_id())
  );
create policy intro_request_insert on app_public.intro_request for insert
  to app_account, app_moderator
  with check (
    requester_id = (select app_hidden.current_account_id())
    and state = 'requested'
    and app_hidden.require_introducible(project_id, investor_id, requester_id, recipient_id)
  );
create policy intro_request_update on app_public.intro_request for update
  to app_account, app_moderator
  using (
    state = 'requested' and (
      requester_id = (select app_hidden.current_account_id())
      or recipient_id = (select app_hidden.current_account_id())
    )
  )
  with check (
    (state in ('accepted', 'declined') and recipient_id = (select app_hidden.current_account_id()))
    or (state = 'withdrawn' and requester_id = (select app_hidden.current_account_id()))
  );

grant select on app_public.profile, app_public.project, app_public.project_upvote,
  app_public.project_comment, app_public.badge, app_public.chain, app_public.chain_project,
  app_public.chain_follow, app_public.chain_post, app_public.investor, app_public.intro_request
  to app_anonymous, app_account, app_moderator;

grant insert (account_id, headline, bio, location, skills, website_url),
  update (headline, bio, location, skills, website_url, updated_at)
  on app_public.profile to app_account, app_moderator;
grant insert (owner_id, title, tagline, description, website_url, tags, request_id),
  update (title, tagline, description, website_url, tags, updated_at, deleted_at)
  on app_public.project to app_account, app_moderator;
grant insert (project_id, account_id), update (created_at, withdrawn_at)
  on app_public.project_upvote to app_account, app_moderator;
grant insert (project_id, author_id, parent_id, content, request_id),
  update (content, edited_at, deleted_at)
  on app_public.project_comment to app_account, app_moderator;
grant insert (project_id, validator_id, kind, points, note), update (revoked_at, revoked_by_id)
  on app_public.badge to app_account, app_moderator;
grant insert (owner_id, slug, name, description, request_id),
  update (name, description, updated_at, deleted_at)
  on app_public.chain to app_account, app_moderator;
grant insert (chain_id, project_id, added_by_id), update (added_by_id, added_at, removed_at)
  on app_public.chain_project to app_account, app_moderator;
grant insert (chain_id, account_id), update (followed_at, unfollowed_at)
  on app_public.chain_follow to app_account, app_moderator;
grant insert (chain_id, author_id, parent_id, title, content, request_id),
  update (title, content, edited_at, deleted_at)
  on app_public.chain_post to app_account, app_moderator;
grant insert (
    account_id, name, headline, thesis, location, website_url, stages, sectors, min_check,
    max_check, is_open
  ),
  update (
    name, headline, thesis, location, website_url, stages, sectors, min_check, max_check, is_open,
    updated_at, deleted_at
  )
  on app_public.investor to app_account, app_moderator;
grant insert (project_id, investor_id, requester_id, recipient_id, message),
  update (state, ended_at, answer)
  on app_public.intro_request to app_account, app_moderator;
