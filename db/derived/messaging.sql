/*
 * The list of direct conversations, one row for each account that takes part in one. A message
 * changes the rows of all who take part in its conversation, and what is unread the reader's; two
 * senders append to logs and wait for nobody.
 *
 * It is read through direct_conversation_list_live, exact at every moment. Messages themselves are
 * read from their table.
 */
select millrace.materialize('app_public.direct_conversation_list',
  definition => 'app_private.direct_conversation_list_definition',
  key => '{account_id,conversation_id}',
  sources => jsonb_build_object(
    'app_public.direct_member', '["account_id", "conversation_id"]'::jsonb,
    'app_hidden.direct_unread', '["account_id", "conversation_id"]'::jsonb,
    'app_public.direct_message', $$
      select m.account_id, m.conversation_id from changed
      join app_public.direct_member m on m.conversation_id = changed.conversation_id
    $$,
    'app_public.direct_conversation', $$
      select m.account_id, m.conversation_id from changed
      join app_public.direct_member m on m.conversation_id = changed.id
    $$));

create index if not exists direct_conversation_list_active_at_idx
  on app_public.direct_conversation_list (account_id, active_at, conversation_id);

alter table app_public.direct_conversation_list enable row level security;
drop policy if exists direct_conversation_list_select on app_public.direct_conversation_list;
create policy direct_conversation_list_select on app_public.direct_conversation_list for select
  to app_anonymous, app_account, app_moderator
  using (account_id = (select app_hidden.current_account_id()));
grant select on app_public.direct_conversation_list to app_anonymous, app_account, app_moderator;

-- The API shows the live view alone, as what my_direct_conversations gives; there, among the rows
-- of one viewer, the conversation alone tells them apart, and the order needs no more.
comment on table app_public.direct_conversation_list is E'@behavior -*\nAs last recomputed.';
comment on view app_public.direct_conversation_list_live is
  E'@name direct_conversation_entry\n'
  '@behavior -query:resource:list -query:resource:connection -query:resource:single '
  '-singularRelation:resource:single -manyRelation:resource:list '
  '-manyRelation:resource:connection\n'
  '@unique conversation_id\n'
  '@foreignKey (other_account_id) references app_public.account (id)|@fieldName otherAccount\n'
  '@foreignKey (last_sender_id) references app_public.account (id)|@fieldName lastSender\n'
  'A conversation as it stands in the list of an account that takes part in it.';
comment on column app_public.direct_conversation_list.account_id is 'The account whose list it is.';
comment on column app_public.direct_conversation_list.is_group is
  'Whether it is a group and not a conversation of two.';
comment on column app_public.direct_conversation_list.title is
  'What the group calls itself; empty in a conversation of two.';
comment on column app_public.direct_conversation_list.other_account_id is
  'In a conversation of two the other account; null in a group.';
comment on column app_public.direct_conversation_list.active_at is
  'When the latest message was sent; before there is one, when it was started.';
comment on column app_public.direct_conversation_list.last_message_id is
  'The latest message; null if there is none.';
comment on column app_public.direct_conversation_list.last_sender_id is 'Who sent it.';
comment on column app_public.direct_conversation_list.last_content is
  'How it begins: at most 200 characters; empty if it is deleted.';
comment on column app_public.direct_conversation_list.unread_count is
  'How many messages the account has not read.';
