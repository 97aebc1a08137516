import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../../scripts/lib/demo-random.ts';
import { createAccount, one } from '../deliberation/community.ts';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';
import {
  type Chat,
  createChat,
  deleteMessage,
  editMessage,
  leaveConversation,
  markRead,
  sendMessage,
  startConversation,
} from './chat.ts';

/*
 * The list against a model that is told of every call and knows nothing of the tables; read live at
 * every moment, and stored once drained and recomputed.
 */

let db: TestDatabase;
const commit = { commit: true };

beforeAll(async () => {
  db = await createTestDatabase();
});

afterAll(async () => {
  await db?.drop();
});

interface Message {
  id: string;
  sender: string;
  content: string;
  unreadBy: Set<string>;
}

interface Conversation {
  id: string;
  title: string;
  pair: boolean;
  /** Who takes part. */
  members: Set<string>;
  /** Everybody who ever did. */
  all: string[];
  messages: Message[];
}

interface Entry {
  conversation_id: string;
  title: string;
  is_group: boolean;
  other_account_id: string | null;
  last_message_id: string | null;
  last_sender_id: string | null;
  last_content: string | null;
  unread_count: string;
}

const COLUMNS =
  'conversation_id, title, is_group, other_account_id, last_message_id, last_sender_id, ' +
  'last_content, unread_count';

function listOf(conversations: Conversation[], account: string): Entry[] {
  return conversations
    .filter(({ members }) => members.has(account))
    .map(({ id, title, pair, all, messages }) => {
      const last = messages.at(-1);
      return {
        conversation_id: id,
        title,
        is_group: !pair,
        other_account_id: pair ? (all.find((member) => member !== account) ?? null) : null,
        last_message_id: last?.id ?? null,
        last_sender_id: last?.sender ?? null,
        last_content: last === undefined ? null : last.content.slice(0, 200),
        unread_count: String(messages.filter(({ unreadBy }) => unreadBy.has(account)).length),
      };
    })
    .sort((a, b) => Number(BigInt(a.conversation_id) - BigInt(b.conversation_id)));
}

async function readList(account: string): Promise<Entry[]> {
  const { rows } = await db.asAccount(account, (client) =>
    client.query<Entry>(
      `select ${COLUMNS} from app_public.my_direct_conversations() order by conversation_id`,
    ),
  );
  return rows;
}

async function stored(account: string): Promise<Entry[]> {
  const { rows } = await db.pool.query<Entry>(
    `select ${COLUMNS} from app_public.direct_conversation_list
    where account_id = $1 order by conversation_id`,
    [account],
  );
  return rows;
}

const settle = () =>
  db.pool.query("select millrace.run_now('app_public.direct_conversation_list')");

describe('a random history', () => {
  it.each([1, 2, 3])(
    'is listed right at every step (seed %i)',
    async (seed) => {
      const random = createRandom(seed);
      const people: string[] = [];
      for (let i = 0; i < 6; i += 1) people.push(await createAccount(db, `Person ${i}`));
      const conversations: Conversation[] = [];
      const as = <T>(account: string, work: (client: pg.PoolClient) => Promise<T>) =>
        db.asAccount(account, work, commit);
      const known = () => random.pick(conversations);
      const member = (conversation: Conversation) => random.pick([...conversation.members]);

      const calls: (() => Promise<void>)[] = [
        async function startPair() {
          const [a, b] = [random.pick(people), random.pick(people)];
          if (a === b) return;
          const id = await as(a, (client) => startConversation(client, [b]));
          const found = conversations.find((it) => it.id === id);
          if (found) for (const account of found.all) found.members.add(account);
          else {
            const all = [a, b];
            conversations.push({
              id,
              title: '',
              pair: true,
              members: new Set(all),
              all,
              messages: [],
            });
          }
        },
        async function startGroup() {
          const all = people.filter(() => random.chance(0.6));
          if (all.length < 3) return;
          const title = random.chance(0.5) ? 'Group' : '';
          const id = await as(all[0] as string, (client) =>
            startConversation(client, all.slice(1), title),
          );
          conversations.push({ id, title, pair: false, members: new Set(all), all, messages: [] });
        },
        async function send() {
          const conversation = known();
          if (conversation.members.size < 2) return;
          const sender = member(conversation);
          const content = random.chance(0.2)
            ? 'Long '.repeat(60).trim()
            : `Text ${random.below(999)}`;
          const { id } = await as(sender, (client) =>
            sendMessage(client, conversation.id, content),
          );
          const unreadBy = new Set([...conversation.members].filter((it) => it !== sender));
          conversation.messages.push({ id, sender, content, unreadBy });
        },
        async function sendAndRollBack() {
          const conversation = known();
          if (conversation.members.size < 2) return;
          await db.asAccount(member(conversation), (client) =>
            sendMessage(client, conversation.id, 'Never'),
          );
        },
        async function read() {
          const conversation = known();
          const reader = conversation.members.size > 0 ? member(conversation) : null;
          if (reader === null || conversation.messages.length === 0) return;
          const index = random.below(conversation.messages.length);
          const upTo = random.chance(0.3) ? conversation.messages[index] : undefined;
          await as(reader, (client) => markRead(client, conversation.id, upTo?.id ?? null));
          for (const message of conversation.messages) {
            if (upTo === undefined || BigInt(message.id) <= BigInt(upTo.id)) {
              message.unreadBy.delete(reader);
            }
          }
        },
        async function edit() {
          const conversation = known();
          const message = conversation.messages.at(-1);
          if (!message || message.content === '' || conversation.members.size < 2) return;
          if (!conversation.members.has(message.sender)) return;
          message.content = `Edited ${random.below(999)}`;
          await as(message.sender, (client) =>
            editMessage(client, conversation.id, message.id, message.content),
          );
        },
        async function remove() {
          const conversation = known();
          if (conversation.messages.length === 0) return;
          const message = random.pick(conversation.messages.slice(-3));
          await as(message.sender, (client) => deleteMessage(client, conversation.id, message.id));
          message.content = '';
          message.unreadBy.clear();
        },
        async function leave() {
          if (!random.chance(0.3)) return;
          const conversation = known();
          if (conversation.members.size === 0) return;
          const leaver = member(conversation);
          await as(leaver, (client) => leaveConversation(client, conversation.id));
          conversation.members.delete(leaver);
          for (const message of conversation.messages) message.unreadBy.delete(leaver);
        },
      ];
      const resume = () =>
        db.pool.query("select millrace.resume('app_public.direct_conversation_list')");
      const engine = [
        () => db.pool.query('select millrace.drain()'),
        () => db.pool.query('select millrace.tick()'),
        () => db.pool.query("select millrace.pause('app_public.direct_conversation_list')"),
        resume,
        () => resume().then(settle),
      ];

      await calls[0]?.();
      await calls[1]?.();
      while (conversations.length === 0)
        await (random.pick(calls.slice(0, 2)) as () => Promise<void>)();
      const done = new Set<string>();
      for (let step = 0; step < 100; step += 1) {
        const call = random.pick(calls);
        await call();
        done.add(call.name);
        if (random.chance(0.15)) await random.pick(engine)();
        const readers = step % 10 === 0 ? people : [random.pick(people), random.pick(people)];
        for (const reader of readers) {
          expect(await readList(reader), `${call.name} at step ${step}`).toEqual(
            listOf(conversations, reader),
          );
        }
        const account = random.pick(people);
        const { unread } = await db.asAccount(account, (client) =>
          one(client, 'select app_hidden.unread_message_count()::text as unread'),
        );
        const expected = listOf(conversations, account).reduce(
          (sum, entry) => sum + Number(entry.unread_count),
          0,
        );
        expect(unread).toBe(String(expected));
      }
      expect(done.size).toBe(calls.length);
      await resume();
      await settle();
      for (const account of people) {
        expect(await stored(account)).toEqual(listOf(conversations, account));
      }
      const { rows } = await db.pool.query(
        "select keys_drifted::int from millrace.reconcile('app_public.direct_conversation_list')",
      );
      expect(rows).toEqual([{ keys_drifted: 0 }]);
    },
    60_000,
  );
});

describe('the list', () => {
  let chat: Chat;
  beforeAll(async () => {
    chat = await createChat(db);
  });

  it('is in the order of what was written last, and moves with the next message', async () => {
    const { ada, bob, cleo, pair, group } = chat;
    const order = async (account: string) => {
      const { rows } = await db.asAccount(account, (client) =>
        client.query<{ conversation_id: string }>(
          `select conversation_id from app_public.my_direct_conversations()
          order by active_at desc, conversation_id desc`,
        ),
      );
      return rows.map(({ conversation_id }) => conversation_id);
    };
    // Both were started in one transaction: at the same moment, the greater id first.
    expect(await order(ada)).toEqual([group, pair]);
    await db.asAccount(bob, (client) => sendMessage(client, pair, 'Hi'), commit);
    expect(await order(ada)).toEqual([pair, group]);
    await settle();
    expect(await order(ada)).toEqual([pair, group]);
    await db.asAccount(cleo, (client) => sendMessage(client, group, 'Hi all'), commit);
    expect(await order(ada)).toEqual([group, pair]);
  });

  it('shows what the transaction itself has just written', async () => {
    const { ada, bob, pair } = chat;
    const entry = await db.asAccount(ada, async (client) => {
      await sendMessage(client, pair, 'Mine');
      const text = `select last_content, unread_count::int
        from app_public.my_direct_conversations() where conversation_id = $1`;
      return await one(client, text, [pair]);
    });
    // What Bob wrote is still unread; one's own never is.
    expect(entry).toEqual({ last_content: 'Mine', unread_count: 1 });
    const after = await readList(bob);
    expect(after.find(({ conversation_id }) => conversation_id === pair)?.last_content).toBe('Hi');
  });

  it('is the reader’s own, stored and live, under every role', async () => {
    const { ada, bob, stranger, moderator, deleted } = chat;
    await settle();
    await db.asAccount(bob, (client) => sendMessage(client, chat.pair, 'Dirty'), commit);
    const relations = [
      'app_public.direct_conversation_list',
      'app_public.direct_conversation_list_live',
      'app_public.my_direct_conversations()',
    ];
    for (const relation of relations) {
      const text = `select account_id from ${relation}`;
      const owners = async (rows: Promise<{ rows: { account_id: string }[] }>) => [
        ...new Set((await rows).rows.map(({ account_id }) => account_id)),
      ];
      expect(await owners(db.asAccount(ada, (client) => client.query(text)))).toEqual([ada]);
      expect(await owners(db.asModerator(ada, (client) => client.query(text)))).toEqual([ada]);
      for (const account of [stranger, deleted]) {
        expect(await owners(db.asAccount(account, (client) => client.query(text)))).toEqual([]);
      }
      expect(await owners(db.asModerator(moderator, (client) => client.query(text)))).toEqual([]);
      expect(await owners(db.asAnonymous((client) => client.query(text)))).toEqual([]);
    }
    const { rows } = await db.pool.query(
      `select r.role, p.privilege, c.name
      from unnest('{app_anonymous,app_account,app_moderator}'::text[]) as r (role)
      cross join unnest('{INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) as p (privilege)
      cross join unnest($1::text[]) as c (name)
      where has_table_privilege(r.role, c.name, p.privilege)`,
      [relations.slice(0, 2)],
    );
    expect(rows).toEqual([]);
  });
});
