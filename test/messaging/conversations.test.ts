import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createAccount, expectNoWrite, expectRefused, one } from '../deliberation/community.ts';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';
import {
  block,
  type Chat,
  createChat,
  leaveConversation,
  messagesOf,
  sendMessage,
  startConversation,
  suspend,
  unreadOf,
} from './chat.ts';

let db: TestDatabase;
let chat: Chat;
const commit = { commit: true };

beforeAll(async () => {
  db = await createTestDatabase();
});

afterAll(async () => {
  await db?.drop();
});

beforeEach(async () => {
  chat = await createChat(db);
});

const membersOf = async (conversation: string) =>
  (
    await db.pool.query<{ account_id: string; left: boolean }>(
      `select account_id, left_at is not null as left from app_public.direct_member
      where conversation_id = $1 order by account_id`,
      [conversation],
    )
  ).rows;

describe('start_conversation with one account', () => {
  it('is the one conversation of the two, whoever starts it', async () => {
    const { ada, bob, pair } = chat;
    expect(await membersOf(pair)).toEqual([
      { account_id: ada, left: false },
      { account_id: bob, left: false },
    ]);
    for (const [account, other] of [
      [ada, bob],
      [bob, ada],
    ] as const) {
      const again = await expectNoWrite(db, () =>
        db.asAccount(account, (client) => startConversation(client, [other]), commit),
      );
      expect(again).toBe(pair);
    }
    const { rows } = await db.pool.query(
      'select is_group, created_by_id from app_public.direct_conversation where id = $1',
      [pair],
    );
    expect(rows).toEqual([{ is_group: false, created_by_id: ada }]);
  });

  it('takes the other one named twice, with oneself or nobody, as named once', async () => {
    const { ada, bob, pair } = chat;
    const again = await db.asAccount(ada, (client) =>
      startConversation(client, [bob, ada, null, bob]),
    );
    expect(again).toBe(pair);
  });

  it('brings both back who had left, with all that was written', async () => {
    const { ada, bob, pair } = chat;
    await db.asAccount(ada, (client) => sendMessage(client, pair, 'Before'), commit);
    for (const account of [ada, bob]) {
      await db.asAccount(account, (client) => leaveConversation(client, pair), commit);
    }
    expect(await messagesOf(db, bob, pair)).toEqual([]);
    await db.asAccount(bob, (client) => startConversation(client, [ada]), commit);
    expect(await membersOf(pair)).toEqual([
      { account_id: ada, left: false },
      { account_id: bob, left: false },
    ]);
    expect(await messagesOf(db, ada, pair)).toEqual(['Before']);
    // Leaving had done with what was unread.
    expect(await unreadOf(db, bob, pair)).toBe(0);
  });

  it('with a title is a group, beside the conversation of two', async () => {
    const { ada, bob, pair } = chat;
    const group = await db.asAccount(
      ada,
      (client) => startConversation(client, [bob], ' Plans '),
      commit,
    );
    expect(group).not.toBe(pair);
    const made = await one(
      db.pool,
      'select is_group, title from app_public.direct_conversation where id = $1',
      [group],
    );
    expect(made).toEqual({ is_group: true, title: 'Plans' });
  });
});

describe('start_conversation with several', () => {
  it('is a new group each time, except for the same request', async () => {
    const { ada, bob, cleo, group } = chat;
    const start = (title: string, requestId: string | null, accounts = [cleo, bob]) =>
      db.asAccount(ada, (client) => startConversation(client, accounts, title, requestId), commit);
    expect(await start('Group', null)).not.toBe(group);
    const requestId = randomUUID();
    const first = await start('Trip', requestId);
    expect(await membersOf(first)).toHaveLength(3);
    expect(await expectNoWrite(db, () => start('Trip', requestId, [bob, cleo, ada]))).toBe(first);
    await expectRefused(db, () => start('Other', requestId), 'MS006');
    await expectRefused(db, () => start('Trip', requestId, [bob]), 'MS006');
    await expectRefused(db, () => start('Trip', requestId, [bob, cleo, chat.stranger]), 'MS006');
    // Another's request ids are another's.
    const other = await db.asAccount(
      bob,
      (client) => startConversation(client, [ada, cleo], 'Trip', requestId),
      commit,
    );
    expect(other).not.toBe(first);
  });

  it('takes 49 others and refuses 50, none, and only oneself', async () => {
    const { ada, bob } = chat;
    const others: string[] = [];
    for (let i = 0; i < 50; i += 1) others.push(await createAccount(db, `Other ${i}`));
    const start = (accounts: unknown) =>
      db.asAccount(ada, (client) =>
        one(client, 'select * from app_public.start_conversation($1)', [accounts]),
      );
    expect(await start(others.slice(1))).toMatchObject({ is_group: true });
    await expectRefused(db, () => start(others), 'MS007');
    for (const none of [[], null, [null], [ada], [ada, ada]]) {
      await expectRefused(db, () => start(none), 'MS007');
    }
    await expectRefused(
      db,
      () => db.asAccount(ada, (client) => startConversation(client, [bob], 'x'.repeat(121))),
      'MS005',
    );
    const longest = await db.asAccount(ada, (client) =>
      startConversation(client, [bob], '我'.repeat(120)),
    );
    expect(longest).toMatch(/^\d+$/);
  });
});

describe('start_conversation refuses', () => {
  it('accounts that are not there, and names them', async () => {
    const { ada, bob, deleted } = chat;
    const start = (accounts: string[]) =>
      db.asAccount(ada, (client) => startConversation(client, accounts));
    await expectRefused(db, () => start([deleted]), 'MS008');
    await expectRefused(db, () => start(['-1']), 'MS008');
    const error = await expectRefused(db, () => start([bob, deleted, '999999999']), 'MS008');
    expect(error.detail).toBe(`accounts ${deleted}, 999999999`);
  });

  it('accounts that block the caller or are blocked, in pairs and groups, also again', async () => {
    const { ada, bob, cleo, stranger } = chat;
    await db.asAccount(ada, (client) => block(client, bob), commit);
    for (const [account, others] of [
      [ada, [bob]],
      [bob, [ada]],
      [ada, [bob, stranger]],
      [bob, [stranger, ada]],
    ] as const) {
      await expectRefused(
        db,
        () => db.asAccount(account, (client) => startConversation(client, [...others])),
        'MS003',
      );
    }
    // What others have against each other is theirs.
    await db.asAccount(cleo, (client) => startConversation(client, [ada, bob]));
  });

  it('suspended accounts, whom others may still write to', async () => {
    const { ada, bob, stranger } = chat;
    await suspend(db, chat, stranger);
    await expectRefused(
      db,
      () => db.asAccount(stranger, (client) => startConversation(client, [bob])),
      'AC005',
    );
    const made = await db.asAccount(ada, (client) => startConversation(client, [stranger]));
    expect(made).toMatch(/^\d+$/);
  });
});

describe('leave_conversation', () => {
  it('takes it from the leaver, and what they wrote stays', async () => {
    const { ada, bob, cleo, group } = chat;
    await db.asAccount(ada, (client) => sendMessage(client, group, 'From Ada'), commit);
    await db.asAccount(bob, (client) => sendMessage(client, group, 'From Bob'), commit);
    const left = await db.asAccount(bob, (client) => leaveConversation(client, group), commit);
    expect(left).toMatchObject({ conversation_id: group, account_id: bob });
    expect(left.left_at).toBeInstanceOf(Date);
    expect(await messagesOf(db, bob, group)).toEqual([]);
    expect(await messagesOf(db, cleo, group)).toEqual(['From Bob', 'From Ada']);
    await expectRefused(
      db,
      () => db.asAccount(bob, (client) => sendMessage(client, group, 'Again')),
      'MS002',
    );
    const { rows } = await db.pool.query(
      'select account_id from app_hidden.direct_unread where conversation_id = $1 order by 1',
      [group],
    );
    expect(rows.map(({ account_id }) => account_id)).toEqual([ada, cleo, cleo]);
  });

  it('twice changes nothing; one that is none of the caller’s is refused', async () => {
    const { bob, stranger, pair } = chat;
    await db.asAccount(bob, (client) => leaveConversation(client, pair), commit);
    await expectNoWrite(db, () =>
      db.asAccount(bob, (client) => leaveConversation(client, pair), commit),
    );
    for (const conversation of [pair, '999999999', null]) {
      await expectRefused(
        db,
        () => db.asAccount(stranger, (client) => leaveConversation(client, conversation)),
        'MS001',
      );
    }
  });

  it('leaves the other alone with nobody to write to', async () => {
    const { ada, bob, pair } = chat;
    await db.asAccount(bob, (client) => leaveConversation(client, pair), commit);
    await expectRefused(
      db,
      () => db.asAccount(ada, (client) => sendMessage(client, pair, 'Hello?')),
      'MS004',
    );
  });
});

describe('delete_account', () => {
  it('leaves all conversations; messages stay', async () => {
    const { ada, bob, cleo, pair, group } = chat;
    await db.asAccount(bob, (client) => sendMessage(client, pair, 'Bye'), commit);
    await db.asAccount(ada, (client) => sendMessage(client, group, 'Hi'), commit);
    await db.asAccount(bob, (client) => client.query('select app_public.delete_account()'), commit);
    expect(await membersOf(pair)).toEqual([
      { account_id: ada, left: false },
      { account_id: bob, left: true },
    ]);
    expect(await messagesOf(db, ada, pair)).toEqual(['Bye']);
    const { rows } = await db.pool.query(
      'select from app_hidden.direct_unread where account_id = $1',
      [bob],
    );
    expect(rows).toEqual([]);
    await expectRefused(
      db,
      () => db.asAccount(ada, (client) => sendMessage(client, pair, 'Still there?')),
      'MS004',
    );
    await db.asAccount(cleo, (client) => sendMessage(client, group, 'Bob is gone'), commit);
    expect(await unreadOf(db, ada, group)).toBe(1);
  });
});
