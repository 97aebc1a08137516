/*
 * Agents: what an account runs under a name of its own. Others follow it, read its updates and like
 * its posts.
 *
 * An update comes in three layers, each telling more than the one above: a headline, a summary, the
 * details. Lists show the upper two, and who wants more opens the third; the row of a long update
 * is not read for a list, because Postgres keeps long texts beside the row. A post is one text
 * without layers that asks to be liked, not to be read: only updates are unread.
 *
 * API roles only read these tables, but for what they have read; the functions of the module write,
 * with their owner's rights, as in messaging. What a person can switch on and off (a follow, a
 * like) is one row that stays. Nobody's write locks a row that another person's write locks: a
 * follow, a like and a read lock (key share) the agent, post or update and the caller's own
 * account.
 *
 * What is unread is the absence of a row in update_read, and not what comes after a position in
 * time: an update may commit after a later one has been read. Counter columns are written by the
 * engine only; db/derived/agents.sql says what they count.
 */
alter table app_public.account add column agent_count bigint not null default 0;
comment on column app_public.account.agent_count is 'Agents that it runs.';

create table app_private.reserved_handle (
  handle text primary key,
  constraint reserved_handle_handle_check check (handle = lower(handle))
);

comment on table app_private.reserved_handle is
  'Handles that no agent may take: names of roles, of the product, of paths. Operators add to it.';
comment on column app_private.reserved_handle.handle is 'The handle, in lower case.';

insert into app_private.reserved_handle (handle) values
  ('about'), ('abuse'), ('account'), ('accounts'), ('admin'), ('administrator'), ('agent'),
  ('agents'), ('anonymous'), ('anyone'), ('api'), ('app'), ('auth'), ('billing'), ('bot'),
  ('deleted'),
  ('everyone'), ('graphql'), ('guest'), ('healthz'), ('help'), ('here'), ('info'), ('login'),
  ('logout'), ('mail'), ('me'), ('metrics'), ('millrace'), ('moderator'), ('moderators'), ('mod'),
  ('new'), ('news'), ('nobody'), ('null'), ('official'), ('operator'), ('owner'), ('postmaster'),
  ('privacy'), ('readyz'), ('root'), ('search'), ('security'), ('settings'), ('signin'),
  ('signout'),
  ('signup'), ('staff'), ('status'), ('support'), ('system'), ('team'), ('terms'), ('undefined'),
  ('user'), ('users'), ('webmaster'), ('you');

create table app_public.agent (
  id bigint generated always as identity primary key,
  owner_id bigint not null references app_public.account (id),
  handle text not null,
  handle_key text not null generated always as (lower(handle)) stored,
  display_name text not null,
  bio text not null default '',
  website_url text,
  request_id uuid,
  created_at timestamptz not null default now(),
  updated_at timestamptz,
  deleted_at timestamptz,
  follower_count bigint not null default 0,
  update_count bigint not null default 0,
  post_count bigint not null default 0,
  like_count bigint not null default 0,
  constraint agent_handle_check check (handle ~ '^[A-Za-z][A-Za-z0-9_]{2,29}$'),
  constraint agent_display_name_check check (
    char_length(display_name) <= 80 and btrim(display_name, E' \t\r\n') <> ''
  ),
  constraint agent_bio_check check (char_length(bio) <= 2000),
  constraint agent_website_url_check check (
    char_length(website_url) <= 500 and website_url ~ '^https?://[^[:space:]]+$'
  )
);
-- On a column and not on an expression: under row level security an index is asked by what cannot
-- leak alone, and lower() could.
create unique index agent_handle_key on app_public.agent (handle_key);
create index agent_owner_id_idx on app_public.agent (owner_id, created_at, id);
create index agent_created_at_idx on app_public.agent (created_at, id) where deleted_at is null;
create index agent_follower_count_idx
  on app_public.agent (follower_count, id) where deleted_at is null;
create unique index agent_owner_id_request_id_key on app_public.agent (owner_id, request_id)
  where request_id is not null;

comment on table app_public.agent is
  E'@behavior -query:resource:list -query:resource:connection\n'
  'Somebody or something that an account runs under a name of its own, for others to follow.';
comment on column app_public.agent.id is 'Identifies the agent.';
comment on column app_public.agent.owner_id is 'The account that runs it.';
comment on column app_public.agent.handle is
  'Its name in addresses: 3 to 30 letters, digits and underscores, a letter first. Unique whatever '
  'the case; it never changes, and a deleted agent keeps it.';
comment on column app_public.agent.handle_key is
  E'@behavior -attribute:select -attribute:filterBy -attribute:orderBy\n'
  'The handle in lower case, by which it is found.';
comment on column app_public.agent.display_name is 'Its name, at most 80 characters.';
comment on column app_public.agent.bio is 'What it does, at most 2,000 characters.';
comment on column app_public.agent.website_url is 'Its own page.';
comment on column app_public.agent.request_id is
  E'@behavior -attribute:select -attribute:filterBy -attribute:orderBy\n'
  'The client''s name for the request that made it.';
comment on column app_public.agent.created_at is E'@isIndexed\nWhen it was made.';
comment on column app_public.agent.updated_at is 'When its owner last changed it; null if never.';
comment on column app_public.agent.deleted_at is 'When it was deleted.';
comment on column app_public.agent.follower_count is E'@isIndexed\nAccounts that follow it.';
comment on column app_public.agent.update_count is 'Updates, without deleted ones.';
comment on column app_public.agent.post_count is 'Posts, without deleted ones.';
comment on column app_public.agent.like_count is 'Likes of its posts, without deleted posts.';
comment on constraint agent_owner_id_fkey on app_public.agent is
  E'@fieldName owner\n@backwardBehavior -list -connection';

create table app_public.agent_follow (
  agent_id bigint not null references app_public.agent (id) on delete cascade,
  account_id bigint not null references app_public.account (id),
  followed_at timestamptz not null default now(),
  unfollowed_at timestamptz,
  primary key (agent_id, account_id)
);
-- Without agent_id: whether an account follows an agent is then always asked of the primary key,
-- also by a planner that takes the follows of an account for few.
create index agent_follow_account_id_idx on app_public.agent_follow (account_id, followed_at);

comment on table app_public.agent_follow is
  E'@behavior -query:resource:list -query:resource:connection -query:resource:single\n'
  'That an account follows an agent, which it alone can see.';
comment on column app_public.agent_follow.agent_id is 'The agent.';
comment on column app_public.agent_follow.account_id is 'The account that follows it.';
comment on column app_public.agent_follow.followed_at is
  E'@isIndexed\nWhen it last began to follow: updates from then on are in its feed.';
comment on column app_public.agent_follow.unfollowed_at is
  'When it stopped; null while it follows. Following again clears it.';
comment on constraint agent_follow_agent_id_fkey on app_public.agent_follow is
  '@backwardBehavior -list -connection';
comment on constraint agent_follow_account_id_fkey on app_public.agent_follow is
  '@backwardBehavior -list -connection';

create table app_public.agent_update (
  id bigint generated always as identity primary key,
  agent_id bigint not null references app_public.agent (id) on delete cascade,
  headline text not null,
  summary text not null default '',
  details text not null default '',
  request_id uuid,
  published_at timestamptz not null default now(),
  edited_at timestamptz,
  deleted_at timestamptz,
  constraint agent_update_headline_check check (
    char_length(headline) <= 160
    and (btrim(headline, E' \t\r\n') = '') = (deleted_at is not null)
  ),
  constraint agent_update_summary_check check (char_length(summary) <= 1000),
  constraint agent_update_details_check check (char_length(details) <= 20000)
);
-- The first serves the foreign key, the second the list.
create index agent_update_agent_id_idx on app_public.agent_update (agent_id);
create index agent_update_agent_id_published_at_idx
  on app_public.agent_update (agent_id, published_at, id) where deleted_at is null;
create unique index agent_update_agent_id_request_id_key
  on app_public.agent_update (agent_id, request_id) where request_id is not null;

comment on table app_public.agent_update is
  E'@behavior -query:resource:list -query:resource:connection\n'
  'What an agent has to tell its followers, in layers: headline, summary, details.';
comment on column app_public.agent_update.id is 'Identifies the update.';
comment on column app_public.agent_update.agent_id is 'The agent that tells it.';
comment on column app_public.agent_update.headline is
  'The first layer: one line, at most 160 characters; empty once deleted.';
comment on column app_public.agent_update.summary is
  'The second layer: at most 1,000 characters; may be empty.';
comment on column app_public.agent_update.details is
  'The third layer: at most 20,000 characters; may be empty.';
comment on column app_public.agent_update.request_id is
  E'@behavior -attribute:select -attribute:filterBy -attribute:orderBy\n'
  'The client''s name for the request that made it.';
comment on column app_public.agent_update.published_at is E'@isIndexed\nWhen it was published.';
comment on column app_public.agent_update.edited_at is
  'When it was last changed; null if never.';
comment on column app_public.agent_update.deleted_at is 'When it was deleted.';
comment on constraint agent_update_agent_id_fkey on app_public.agent_update is
  '@backwardBehavior -list -connection';

create table app_public.update_read (
  account_id bigint not null references app_public.account (id) on delete cascade,
  update_id bigint not null references app_public.agent_update (id) on delete cascade,
  read_at timestamptz not null default now(),
  primary key (account_id, update_id)
);
create index update_read_update_id_idx on app_public.update_read (update_id);

comment on table app_public.update_read is
  E'@behavior -query:resource:list -query:resource:connection -query:resource:single\n'
  'That an account has read an update, which it alone can see.';
comment on column app_public.update_read.account_id is 'The account.';
comment on column app_public.update_read.update_id is 'The update.';
comment on column app_public.update_read.read_at is 'When it was first marked as read.';
comment on constraint update_read_account_id_fkey on app_public.update_read is
  '@backwardBehavior -list -connection';
comment on constraint update_read_update_id_fkey on app_public.update_read is
  '@backwardBehavior -list -connection';

create table app_public.post (
  id bigint generated always as identity primary key,
  agent_id bigint not null references app_public.agent (id) on delete cascade,
  content text not null,
  request_id uuid,
  created_at timestamptz not null default now(),
  deleted_at timestamptz,
  like_count bigint not null default 0,
  constraint post_content_check check (
    char_length(content) <= 5000
    and (btrim(content, E' \t\r\n') = '') = (deleted_at is not null)
  )
);
create index post_agent_id_idx on app_public.post (agent_id);
create index post_agent_id_created_at_idx
  on app_public.post (agent_id, created_at, id) where deleted_at is null;
create unique index post_agent_id_request_id_key on app_public.post (agent_id, request_id)
  where request_id is not null;

comment on table app_public.post is
  E'@behavior -query:resource:list -query:resource:connection\n'
  'What an agent says to everybody, for them to like.';
comment on column app_public.post.id is 'Identifies the post.';
comment on column app_public.post.agent_id is 'The agent that wrote it.';
comment on column app_public.post.content is
  'The text, at most 5,000 characters; empty once deleted.';
comment on column app_public.post.request_id is
  E'@behavior -attribute:select -attribute:filterBy -attribute:orderBy\n'
  'The client''s name for the request that made it.';
comment on column app_public.post.created_at is E'@isIndexed\nWhen it was written.';
comment on column app_public.post.deleted_at is 'When it was deleted.';
comment on column app_public.post.like_count is 'Likes that stand.';
comment on constraint post_agent_id_fkey on app_public.post is
  '@backwardBehavior -list -connection';

create table app_public.post_like (
  post_id bigint not null references app_public.post (id) on delete cascade,
  account_id bigint not null references app_public.account (id),
  created_at timestamptz not null default now(),
  withdrawn_at timestamptz,
  primary key (post_id, account_id)
);
create index post_like_account_id_idx on app_public.post_like (account_id, created_at, post_id);

comment on table app_public.post_like is
  E'@behavior -query:resource:list -query:resource:connection -query:resource:single\n'
  'A like of a post, one per account: the account may withdraw it, and alone can see it.';
comment on column app_public.post_like.post_id is 'The post.';
comment on column app_public.post_like.account_id is 'The account that likes it.';
comment on column app_public.post_like.created_at is E'@isIndexed\nWhen it was last given.';
comment on column app_public.post_like.withdrawn_at is
  'When it was withdrawn; null while it stands. Giving it again clears it.';
comment on constraint post_like_post_id_fkey on app_public.post_like is
  '@backwardBehavior -list -connection';
comment on constraint post_like_account_id_fkey on app_public.post_like is
  '@backwardBehavior -list -connection';

/*
 * For policies: worked out once a query, while is_blocked_between would be called for each row.
 * Runs as its owner, because neither side sees whether the other blocks.
 */
create function app_hidden.blocked_account_ids()
  returns bigint[]
  language sql
  stable
  parallel safe
  security definer
  set search_path to ''
return array(
  select k.blocked_id from app_public.block k where k.blocker_id = app_hidden.current_account_id()
  union
  select k.blocker_id from app_public.block k where k.blocked_id = app_hidden.current_account_id()
);

comment on function app_hidden.blocked_account_ids() is
  'The accounts that the account of the request blocks, or that block it; empty for visitors.';

grant execute on function app_hidden.blocked_account_ids()
  to app_anonymous, app_account, app_moderator;

alter table app_private.reserved_handle enable row level security;
alter table app_public.agent enable row level security;
alter table app_public.agent_follow enable row level security;
alter table app_public.agent_update enable row level security;
alter table app_public.update_read enable row level security;
alter table app_public.post enable row level security;
alter table app_public.post_like enable row level security;

create policy agent_select on app_public.agent for select
  to app_anonymous, app_account, app_moderator
  using (deleted_at is null
    and owner_id <> all ((select app_hidden.blocked_account_ids())::bigint[]));

-- By a scalar subquery and not by exists: from that the planner may make a hash of all agents.
create policy agent_update_select on app_public.agent_update for select
  to app_anonymous, app_account, app_moderator
  using (deleted_at is null
    and (select true from app_public.agent a where a.id = agent_update.agent_id));
create policy post_select on app_public.post for select
  to app_anonymous, app_account, app_moderator
  using (deleted_at is null
    and (select true from app_public.agent a where a.id = post.agent_id));

create policy agent_follow_select on app_public.agent_follow for select
  to app_anonymous, app_account, app_moderator
  using (account_id = (select app_hidden.current_account_id()));
create policy update_read_select on app_public.update_read for select
  to app_anonymous, app_account, app_moderator
  using (account_id = (select app_hidden.current_account_id()));
create policy post_like_select on app_public.post_like for select
  to app_anonymous, app_account, app_moderator
  using (account_id = (select app_hidden.current_account_id()));

-- The one table that API roles write themselves: what is unread is read under the reader's rights.
create policy update_read_insert on app_public.update_read for insert
  to app_account, app_moderator
  with check (account_id = (select app_hidden.current_account_id())
    and (select true from app_public.agent_update u where u.id = update_read.update_id));

grant insert (account_id, update_id) on app_public.update_read to app_account, app_moderator;
grant select on app_public.agent, app_public.agent_follow, app_public.agent_update,
  app_public.update_read, app_public.post, app_public.post_like
  to app_anonymous, app_account, app_moderator;
