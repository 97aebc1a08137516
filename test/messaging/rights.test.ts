import type { QueryResult } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, expectSqlState, type TestDatabase } from '../lib/database.ts';
import { TABLES } from '../lib/tables.ts';
import { type Chat, createChat, leaveConversation, sendMessage } from './chat.ts';

/*
 * Who sees which rows, under each role, whatever the functions do; and that no API role writes any.
 */

let db: TestDatabase;
let chat: Chat;
const commit = { commit: true };

beforeAll(async () => {
  db = await createTestDatabase();
  chat = await createChat(db);
  const { ada, bob, cleo, pair, group } = chat;
  await db.asAccount(ada, (client) => sendMessage(client, pair, 'In the pair'), commit);
  await db.asAccount(bob, (client) => sendMessage(client, group, 'In the group'), commit);
  await db.asAccount(cleo, (client) => leaveConversation(client, group), commit);
  // A conversation of others, so that nobody sees everything.
  const other = await createChat(db);
  await db.asAccount(
    other.ada,
    async (client) => {
      await sendMessage(client, other.pair, 'Of others');
      await sendMessage(client, other.group, 'Of others');
    },
    commit,
  );
});

afterAll(async () => {
  await db?.drop();
});

const viewers: Record<string, (text: string) => Promise<QueryResult>> = {
  visitor: (text) => db.asAnonymous((client) => client.query(text)),
  'member of both': (text) => db.asAccount(chat.ada, (client) => client.query(text)),
  'the other member': (text) => db.asAccount(chat.bob, (client) => client.query(text)),
  'one who left the group': (text) => db.asAccount(chat.cleo, (client) => client.query(text)),
  stranger: (text) => db.asAccount(chat.stranger, (client) => client.query(text)),
  moderator: (text) => db.asModerator(chat.moderator, (client) => client.query(text)),
  'member as a moderator': (text) => db.asModerator(chat.ada, (client) => client.query(text)),
  'deleted account': (text) => db.asAccount(chat.deleted, (client) => client.query(text)),
};

/** Rows seen of: conversations, memberships, messages, unread messages. */
const SEEN: [string, [number, number, number, number]][] = [
  ['visitor', [0, 0, 0, 0]],
  ['member of both', [2, 5, 2, 1]],
  ['the other member', [2, 5, 2, 1]],
  ['one who left the group', [0, 0, 0, 0]],
  ['stranger', [0, 0, 0, 0]],
  ['moderator', [0, 0, 0, 0]],
  ['member as a moderator', [2, 5, 2, 1]],
  ['deleted account', [0, 0, 0, 0]],
];

const ALL_TABLES = [
  ...TABLES.messaging.map((name) => `app_public.${name}`),
  'app_hidden.direct_unread',
];

describe('rows that a viewer sees', () => {
  it.each(SEEN)('%s', async (viewer, expected) => {
    const counts: number[] = [];
    for (const table of ALL_TABLES) {
      const { rows } = await (viewers[viewer] as (text: string) => Promise<QueryResult>)(
        `select count(*)::int as n from ${table}`,
      );
      counts.push(rows[0].n);
    }
    expect(counts).toEqual(expected);
  });

  it('are the viewer’s own', async () => {
    const { rows } = await db.asAccount(chat.ada, (client) =>
      client.query(`
        select
          (select array_agg(id order by id) from app_public.direct_conversation) as conversations,
          (select array_agg(distinct conversation_id order by conversation_id)
            from app_public.direct_member) as memberships,
          (select array_agg(content order by id) from app_public.direct_message) as messages,
          (select array_agg(account_id) from app_hidden.direct_unread) as readers`),
    );
    expect(rows).toEqual([
      {
        conversations: [chat.pair, chat.group],
        memberships: [chat.pair, chat.group],
        messages: ['In the pair', 'In the group'],
        readers: [chat.ada],
      },
    ]);
  });

  it('is asked of every viewer there is', () => {
    expect(SEEN.map(([viewer]) => viewer)).toEqual(Object.keys(viewers));
  });
});

describe('what the functions show of others', () => {
  it('is nothing: unread messages and membership are the caller’s own', async () => {
    const unread = await db.asAccount(chat.ada, (client) =>
      client.query(
        `select account_id, app_public.direct_member_unread_count(m)::int as unread
        from app_public.direct_member m where conversation_id = $1 order by account_id`,
        [chat.pair],
      ),
    );
    expect(unread.rows).toEqual([
      { account_id: chat.ada, unread: 0 },
      { account_id: chat.bob, unread: null },
    ]);
    const ask = 'select app_hidden.is_direct_member($1) as answer';
    const answers = await Promise.all([
      db.asAccount(chat.bob, (client) => client.query(ask, [chat.group])),
      db.asAccount(chat.cleo, (client) => client.query(ask, [chat.group])),
      db.asAccount(chat.stranger, (client) => client.query(ask, [chat.group])),
      db.asAnonymous((client) => client.query(ask, [chat.group])),
    ]);
    expect(answers.map(({ rows }) => rows[0].answer)).toEqual([true, false, false, false]);
  });

  it('is the other one in a conversation of two', async () => {
    const other = (account: string, conversation: string) =>
      db.asAccount(account, async (client) => {
        const { rows } = await client.query(
          `select (app_public.direct_conversation_other_account(c)).id
          from app_public.direct_conversation c where c.id = $1`,
          [conversation],
        );
        return rows.map(({ id }) => id);
      });
    expect(await other(chat.ada, chat.pair)).toEqual([chat.bob]);
    expect(await other(chat.bob, chat.pair)).toEqual([chat.ada]);
    expect(await other(chat.ada, chat.group)).toEqual([null]);
    expect(await other(chat.stranger, chat.pair)).toEqual([]);
  });
});

describe('writes', () => {
  it('are no API role’s, on any table', async () => {
    const { rows } = await db.pool.query(
      `select t.name, r.role, p.privilege from unnest($1::text[]) as t (name)
      cross join unnest('{app_anonymous,app_account,app_moderator}'::text[]) as r (role)
      cross join unnest('{INSERT,UPDATE,REFERENCES}'::text[]) as p (privilege)
      where has_any_column_privilege(r.role, t.name::regclass, p.privilege)
      union all
      select t.name, r.role, p.privilege from unnest($1::text[]) as t (name)
      cross join unnest('{app_anonymous,app_account,app_moderator}'::text[]) as r (role)
      cross join unnest('{DELETE,TRUNCATE,TRIGGER}'::text[]) as p (privilege)
      where has_table_privilege(r.role, t.name::regclass, p.privilege)`,
      [ALL_TABLES],
    );
    expect(rows).toEqual([]);
    for (const table of ALL_TABLES) {
      for (const viewer of Object.values(viewers)) {
        await expectSqlState(viewer(`delete from ${table}`), '42501');
      }
    }
  });

  it('are not possible through what the functions are made of', async () => {
    const { rows } = await db.pool.query(
      `select p.oid::regprocedure::text as name, r.role from pg_proc p
      cross join unnest('{app_anonymous,app_account,app_moderator}'::text[]) as r (role)
      where p.pronamespace = 'app_private'::regnamespace
        and has_schema_privilege(r.role, 'app_private', 'usage')`,
    );
    expect(rows).toEqual([]);
    // This one may be called, and takes out the caller alone.
    await db.asAccount(
      chat.stranger,
      async (client) => {
        await client.query('select app_hidden.leave_direct_conversations($1)', [chat.pair]);
        await client.query('select app_hidden.leave_direct_conversations()');
      },
      commit,
    );
    const left = await db.pool.query(
      'select from app_public.direct_member where conversation_id = $1 and left_at is not null',
      [chat.pair],
    );
    expect(left.rowCount).toBe(0);
  });
});
