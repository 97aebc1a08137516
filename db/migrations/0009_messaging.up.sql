/*
 * Direct messages between accounts: conversations of two, one for each pair, and of small groups.
 *
 * API roles only read these tables, and only what they are members of; the functions of the module
 * write, with their owner's rights. So the rules of the functions hold for every write there is.
 *
 * Who locks what: a writing call holds a key share on its caller's own account (see
 * app_hidden.require_account) and a sender one on their own row of direct_member, which is what the
 * foreign key of a message takes anyway. Leaving locks that row for update: it waits for the
 * leaver's own messages in flight, and a message that comes during it waits, looks again and is
 * refused. No row is written or locked by two senders, so they never wait for each other. Lock
 * order everywhere: own account, other accounts by id, conversation, own membership, message.
 *
 * What is unread is a row for each reader, app_hidden.direct_unread, and not the messages after a
 * read position: ids are given out before they are committed, so a message with a smaller id may
 * appear after the reader has read a greater one, and by position nobody would ever be told of it.
 * Marking as read deletes the rows that it sees; what commits later stays unread. Senders only
 * insert, so this costs no waiting, and every count of unread messages is a plain count of rows.
 */
create table app_public.direct_conversation (
  id bigint generated always as identity primary key,
  created_by_id bigint not null references app_public.account (id),
  first_account_id bigint references app_public.account (id),
  second_account_id bigint references app_public.account (id),
  is_group boolean not null generated always as (first_account_id is null) stored,
  title text not null default '',
  request_id uuid,
  created_at timestamptz not null default now(),
  constraint direct_conversation_pair_key unique (first_account_id, second_account_id),
  constraint direct_conversation_pair_check check (
    (first_account_id is null) = (second_account_id is null)
    and first_account_id < second_account_id
    and (first_account_id is null or (title = '' and request_id is null))
  ),
  constraint direct_conversation_title_check check (char_length(title) <= 120)
);
create index direct_conversation_second_account_id_idx
  on app_public.direct_conversation (second_account_id);
create index direct_conversation_created_by_id_idx
  on app_public.direct_conversation (created_by_id);
create unique index direct_conversation_created_by_id_request_id_key
  on app_public.direct_conversation (created_by_id, request_id) where request_id is not null;

comment on table app_public.direct_conversation is
  E'@behavior -query:resource:list -query:resource:connection\n'
  'A conversation of two accounts or of a small group. Only its members see it.';
comment on column app_public.direct_conversation.id is 'Identifies the conversation.';
comment on column app_public.direct_conversation.created_by_id is 'The account that started it.';
comment on column app_public.direct_conversation.first_account_id is
  E'@behavior -attribute:select -attribute:filterBy -attribute:orderBy\n'
  'In a conversation of two the account with the smaller id; null in a group.';
comment on column app_public.direct_conversation.second_account_id is
  E'@behavior -attribute:select -attribute:filterBy -attribute:orderBy\n'
  'In a conversation of two the account with the greater id; null in a group.';
comment on column app_public.direct_conversation.is_group is
  'Whether it was started as a group; two accounts have one other conversation at most.';
comment on column app_public.direct_conversation.title is
  'What a group calls itself, at most 120 characters; empty in a conversation of two.';
comment on column app_public.direct_conversation.request_id is
  E'@behavior -attribute:select -attribute:filterBy -attribute:orderBy\n'
  'The client''s name for the request that started it.';
comment on column app_public.direct_conversation.created_at is 'When it was started.';
comment on constraint direct_conversation_created_by_id_fkey on app_public.direct_conversation is
  E'@fieldName createdBy\n@backwardBehavior -list -connection';
comment on constraint direct_conversation_first_account_id_fkey on app_public.direct_conversation is
  '@behavior -*';
comment on constraint direct_conversation_second_account_id_fkey on app_public.direct_conversation
  is '@behavior -*';
comment on constraint direct_conversation_pair_key on app_public.direct_conversation is
  '@behavior -single';

create table app_public.direct_member (
  conversation_id bigint not null references app_public.direct_conversation (id) on delete cascade,
  account_id bigint not null references app_public.account (id),
  joined_at timestamptz not null default now(),
  left_at timestamptz,
  last_read_message_id bigint,
  primary key (conversation_id, account_id)
);
create index direct_member_account_id_idx
  on app_public.direct_member (account_id, conversation_id);

comment on table app_public.direct_member is
  E'@behavior -query:resource:list -query:resource:connection -query:resource:single\n'
  'That an account takes part in a direct conversation, and how far it has read.';
comment on column app_public.direct_member.conversation_id is 'The conversation.';
comment on column app_public.direct_member.account_id is 'The account.';
comment on column app_public.direct_member.joined_at is 'When it was brought in.';
comment on column app_public.direct_member.left_at is
  'When it left; null while it takes part. Starting the conversation of two again clears it.';
comment on column app_public.direct_member.last_read_message_id is
  'The latest message that it has read, for the others to see; null if none.';
comment on constraint direct_member_conversation_id_fkey on app_public.direct_member is
  E'@fieldName conversation\n@foreignFieldName members';
comment on constraint direct_member_account_id_fkey on app_public.direct_member is
  '@backwardBehavior -list -connection';

/*
 * The primary key begins with the conversation, because no message is ever looked for without it,
 * and an index on the id alone would let the planner walk everybody's messages, newest first, to
 * fill a page of an old conversation. The order of a conversation is by id.
 */
create table app_public.direct_message (
  conversation_id bigint not null,
  id bigint not null generated always as identity,
  sender_id bigint not null,
  content text not null,
  request_id uuid,
  created_at timestamptz not null default now(),
  edited_at timestamptz,
  deleted_at timestamptz,
  primary key (conversation_id, id),
  constraint direct_message_conversation_id_sender_id_fkey
    foreign key (conversation_id, sender_id)
    references app_public.direct_member (conversation_id, account_id) on delete cascade,
  constraint direct_message_content_check check (
    char_length(content) <= 4000
    and (btrim(content, E' \t\r\n') = '') = (deleted_at is not null)
  )
);
create unique index direct_message_conversation_id_sender_id_request_id_key
  on app_public.direct_message (conversation_id, sender_id, request_id)
  where request_id is not null;

comment on table app_public.direct_message is
  E'@behavior -query:resource:list -query:resource:connection\n'
  '@foreignKey (conversation_id) references app_public.direct_conversation (id)'
  '|@fieldName conversation|@backwardBehavior -list -connection\n'
  '@foreignKey (sender_id) references app_public.account (id)'
  '|@fieldName sender|@backwardBehavior -list -connection\n'
  'A message in a direct conversation. Only its members see it.';
comment on column app_public.direct_message.conversation_id is 'The conversation.';
comment on column app_public.direct_message.id is
  'Identifies the message; later ones have greater ids.';
comment on column app_public.direct_message.sender_id is 'The account that wrote it.';
comment on column app_public.direct_message.content is
  'The text, at most 4,000 characters; empty once it is deleted.';
comment on column app_public.direct_message.request_id is
  E'@behavior -attribute:select -attribute:filterBy -attribute:orderBy\n'
  'The client''s name for the request that sent it.';
comment on column app_public.direct_message.created_at is 'When it was sent.';
comment on column app_public.direct_message.edited_at is 'When it was last changed; null if never.';
comment on column app_public.direct_message.deleted_at is 'When its sender deleted it.';
comment on constraint direct_message_conversation_id_sender_id_fkey on app_public.direct_message is
  '@behavior -*';

/*
 * Without foreign keys to the reader: every message would lock the rows of all who receive it, and
 * two senders the same ones. Rows of readers who have left do not count, so counts ask for the
 * membership: a message that is sent while somebody leaves may still write one.
 */
create table app_hidden.direct_unread (
  account_id bigint not null,
  conversation_id bigint not null,
  message_id bigint not null,
  primary key (account_id, conversation_id, message_id),
  constraint direct_unread_conversation_id_message_id_fkey foreign key (conversation_id, message_id)
    references app_public.direct_message (conversation_id, id) on delete cascade
);
create index direct_unread_conversation_id_idx
  on app_hidden.direct_unread (conversation_id, message_id);

comment on table app_hidden.direct_unread is
  'Which messages an account has not read yet: written with the message, deleted by reading.';
comment on column app_hidden.direct_unread.account_id is 'The account that has not read it.';
comment on column app_hidden.direct_unread.conversation_id is 'The conversation.';
comment on column app_hidden.direct_unread.message_id is 'The message.';

/*
 * Runs as its owner: the policy of direct_member asks it about direct_member.
 */
create function app_hidden.is_direct_member(conversation_id bigint)
  returns boolean
  language plpgsql
  stable
  parallel safe
  security definer
  set search_path to ''
as $$
begin
  return exists (
    select from app_public.direct_member m
    where m.conversation_id = is_direct_member.conversation_id
      and m.account_id = app_hidden.current_account_id() and m.left_at is null
  );
end
$$;

comment on function app_hidden.is_direct_member(bigint) is
  'Whether the account of the request takes part in the direct conversation.';

grant execute on function app_hidden.is_direct_member(bigint)
  to app_anonymous, app_account, app_moderator;

alter table app_public.direct_conversation enable row level security;
alter table app_public.direct_member enable row level security;
alter table app_public.direct_message enable row level security;
alter table app_hidden.direct_unread enable row level security;

-- The viewer's own rows are told apart without a call, so that what asks for them by key, as the
-- other policies do, is one look-up in an index. Those ask by a scalar subquery and not by exists:
-- from that the planner may make a hash of all conversations of the viewer.
create policy direct_member_select on app_public.direct_member for select
  to app_anonymous, app_account, app_moderator
  using (
    (account_id = (select app_hidden.current_account_id()) and left_at is null)
    or app_hidden.is_direct_member(conversation_id)
  );
create policy direct_conversation_select on app_public.direct_conversation for select
  to app_anonymous, app_account, app_moderator
  using ((
    select m.left_at is null from app_public.direct_member m
    where m.conversation_id = direct_conversation.id
      and m.account_id = (select app_hidden.current_account_id())
  ));
create policy direct_message_select on app_public.direct_message for select
  to app_anonymous, app_account, app_moderator
  using ((
    select m.left_at is null from app_public.direct_member m
    where m.conversation_id = direct_message.conversation_id
      and m.account_id = (select app_hidden.current_account_id())
  ));
create policy direct_unread_select on app_hidden.direct_unread for select
  to app_anonymous, app_account, app_moderator
  using (account_id = (select app_hidden.current_account_id()));

grant select on app_public.direct_conversation, app_public.direct_member,
  app_public.direct_message, app_hidden.direct_unread
  to app_anonymous, app_account, app_moderator;
