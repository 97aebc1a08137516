import type pg from 'pg';
import { type Community, createAccount, createCommunity, one } from '../deliberation/community.ts';
import type { TestDatabase } from '../lib/database.ts';

/* People who write to each other, and what the tests of messaging ask of them. */

type Client = pg.ClientBase | pg.Pool;
export type Row = Record<string, unknown>;

export interface Chat extends Community {
  /** Have a conversation of two, and are with cleo in a group. */
  ada: string;
  bob: string;
  /** In the group only. */
  cleo: string;
  /** In neither. */
  stranger: string;
  pair: string;
  group: string;
}

export async function createChat(db: TestDatabase): Promise<Chat> {
  const community = await createCommunity(db);
  const ada = await createAccount(db, 'Ada');
  const bob = await createAccount(db, 'Bob');
  const cleo = await createAccount(db, 'Cleo');
  const stranger = await createAccount(db, 'Stranger');
  const { pair, group } = await db.asAccount(
    ada,
    async (client) => ({
      pair: await startConversation(client, [bob]),
      group: await startConversation(client, [bob, cleo], 'Group'),
    }),
    { commit: true },
  );
  return { ...community, ada, bob, cleo, stranger, pair, group };
}

export async function startConversation(
  client: Client,
  accounts: unknown[],
  title = '',
  requestId: string | null = null,
): Promise<string> {
  const text = 'select id from app_public.start_conversation($1, $2, $3)';
  return (await one<{ id: string }>(client, text, [accounts, title, requestId])).id;
}

export async function sendMessage(
  client: Client,
  conversation: unknown,
  content: unknown,
  requestId: string | null = null,
): Promise<Row & { id: string }> {
  return await one(client, 'select * from app_public.send_message($1, $2, $3)', [
    conversation,
    content,
    requestId,
  ]);
}

export async function editMessage(
  client: Client,
  conversation: unknown,
  message: unknown,
  content: unknown,
): Promise<Row> {
  return await one(client, 'select * from app_public.edit_message($1, $2, $3)', [
    conversation,
    message,
    content,
  ]);
}

export async function deleteMessage(
  client: Client,
  conversation: unknown,
  message: unknown,
): Promise<Row> {
  return await one(client, 'select * from app_public.delete_message($1, $2)', [
    conversation,
    message,
  ]);
}

export async function markRead(
  client: Client,
  conversation: unknown,
  message: unknown = null,
): Promise<Row> {
  return await one(client, 'select * from app_public.mark_read($1, $2)', [conversation, message]);
}

export async function leaveConversation(client: Client, conversation: unknown): Promise<Row> {
  return await one(client, 'select * from app_public.leave_conversation($1)', [conversation]);
}

export async function block(client: Client, account: unknown): Promise<void> {
  await client.query('select app_public.block_account($1)', [account]);
}

export async function suspend(db: TestDatabase, chat: Chat, account: string): Promise<void> {
  await db.asModerator(
    chat.moderator,
    (client) => client.query('select app_public.suspend_account($1)', [account]),
    { commit: true },
  );
}

/** How many messages an account has not read in a conversation, by its own computed column. */
export async function unreadOf(
  db: TestDatabase,
  account: string,
  conversation: string,
): Promise<number | null> {
  const { rows } = await db.asAccount(account, (client) =>
    client.query(
      `select app_public.direct_member_unread_count(m)::int as unread
      from app_public.direct_member m where m.conversation_id = $1 and m.account_id = $2`,
      [conversation, account],
    ),
  );
  return rows[0]?.unread ?? null;
}

/** What an account reads of a conversation, newest first. */
export async function messagesOf(
  db: TestDatabase,
  account: string,
  conversation: string,
): Promise<string[]> {
  const { rows } = await db.asAccount(account, (client) =>
    client.query<{ content: string }>(
      `select m.content from app_public.direct_conversation c
      cross join lateral app_public.direct_conversation_messages(c) m
      where c.id = $1 order by m.conversation_id desc, m.id desc`,
      [conversation],
    ),
  );
  return rows.map(({ content }) => content);
}
