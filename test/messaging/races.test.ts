import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createAccount } from '../deliberation/community.ts';
import {
  backendPid,
  createTestDatabase,
  expectSqlState,
  type TestDatabase,
  waitUntilBlocked,
} from '../lib/database.ts';
import {
  block,
  type Chat,
  createChat,
  deleteMessage,
  leaveConversation,
  markRead,
  messagesOf,
  sendMessage,
  startConversation,
  unreadOf,
} from './chat.ts';

/*
 * Two callers at once, step by step. A step that has to wait is seen waiting in pg_locks; a step
 * that must not wait would fail by its lock_timeout.
 */

let db: TestDatabase;
let chat: Chat;
const open: pg.Client[] = [];

beforeAll(async () => {
  db = await createTestDatabase();
});

afterAll(async () => {
  await db?.drop();
});

beforeEach(async () => {
  chat = await createChat(db);
});

afterEach(async () => {
  for (const client of open.splice(0)) await client.end();
});

/** An open transaction in the name of an account. */
async function begin(account: string): Promise<pg.Client> {
  const client = await db.connect();
  open.push(client);
  await client.query("begin; set local lock_timeout = '5s'; set local role app_account");
  await client.query("select set_config('app.account_id', $1, true)", [account]);
  return client;
}

/** Starts a call that has to wait; resolves when it is seen waiting. */
async function waiting<T>(
  client: pg.Client,
  work: (client: pg.Client) => Promise<T>,
): Promise<{ result: Promise<T> }> {
  const pid = await backendPid(client);
  const result = work(client);
  // A rejection before anybody looks is looked at later.
  result.catch(() => undefined);
  await waitUntilBlocked(db.pool, pid);
  return { result };
}

const isLeft = async (conversation: string, account: string) =>
  (
    await db.pool.query(
      `select from app_public.direct_member
      where conversation_id = $1 and account_id = $2 and left_at is not null`,
      [conversation, account],
    )
  ).rowCount === 1;

describe('two senders', () => {
  it('of one conversation wait for nothing, and reach each other', async () => {
    const { ada, bob, pair } = chat;
    const [first, second] = [await begin(ada), await begin(bob)];
    await sendMessage(first, pair, 'From Ada');
    await sendMessage(second, pair, 'From Bob');
    await sendMessage(first, pair, 'From Ada again');
    await second.query('commit');
    await first.query('commit');
    expect(await messagesOf(db, ada, pair)).toEqual(['From Ada again', 'From Bob', 'From Ada']);
    expect([await unreadOf(db, ada, pair), await unreadOf(db, bob, pair)]).toEqual([1, 2]);
  });

  it('of the same account too, from two windows', async () => {
    const { ada, bob, group } = chat;
    const [first, second] = [await begin(ada), await begin(ada)];
    await sendMessage(first, group, 'Window one');
    await sendMessage(second, group, 'Window two');
    await second.query('commit');
    await first.query('commit');
    expect(await unreadOf(db, bob, group)).toBe(2);
  });

  it('lock nothing that is anybody’s but their own account and membership', async () => {
    const { ada, bob, cleo, group } = chat;
    const sender = await begin(ada);
    await sendMessage(sender, group, 'Hello');
    const free = (text: string, values: unknown[]) =>
      db.asOwner((client) => client.query(`${text} for update nowait`, values));
    await free('select from app_public.direct_conversation where id = $1', [group]);
    await free(
      `select from app_public.direct_member
      where conversation_id = $1 and account_id = any ($2)`,
      [group, [bob, cleo]],
    );
    await free('select from app_public.account where id = any ($1)', [[bob, cleo]]);
    await expectSqlState(free('select from app_public.account where id = $1', [ada]), '55P03');
    await expectSqlState(
      free('select from app_public.direct_member where conversation_id = $1 and account_id = $2', [
        group,
        ada,
      ]),
      '55P03',
    );
    await sender.query('commit');
  });

  it('with the same request id are one message, whichever of them ends well', async () => {
    const { ada, bob, pair } = chat;
    for (const end of ['commit', 'rollback']) {
      const requestId = randomUUID();
      const [first, second] = [await begin(ada), await begin(ada)];
      const { id } = await sendMessage(first, pair, end, requestId);
      const { result } = await waiting(second, (client) =>
        sendMessage(client, pair, end, requestId),
      );
      await first.query(end);
      expect((await result).id === id).toBe(end === 'commit');
      await second.query('commit');
    }
    expect(await messagesOf(db, bob, pair)).toEqual(['rollback', 'commit']);
    expect(await unreadOf(db, bob, pair)).toBe(2);
  });

  it('twenty at a time on one conversation lose nothing', async () => {
    const { ada, bob, cleo, group } = chat;
    const senders = [ada, bob, cleo];
    await Promise.all(
      Array.from({ length: 20 }, async (_, i) => {
        const account = senders[i % 3] as string;
        for (let n = 0; n < 5; n += 1) {
          await db.asAccount(account, (client) => sendMessage(client, group, `${i}.${n}`), {
            commit: true,
          });
        }
      }),
    );
    expect(await messagesOf(db, ada, group)).toHaveLength(100);
    // Ada wrote 35, Bob 35, Cleo 30.
    expect([
      await unreadOf(db, ada, group),
      await unreadOf(db, bob, group),
      await unreadOf(db, cleo, group),
    ]).toEqual([65, 65, 70]);
  });
});

describe('sending beside leaving', () => {
  it('the leaver’s own message in flight is waited for, and stays', async () => {
    const { ada, bob, group } = chat;
    const [sender, leaver] = [await begin(ada), await begin(ada)];
    await sendMessage(sender, group, 'Last words');
    const { result } = await waiting(leaver, (client) => leaveConversation(client, group));
    await sender.query('commit');
    await result;
    await leaver.query('commit');
    expect(await messagesOf(db, bob, group)).toEqual(['Last words']);
    expect(await isLeft(group, ada)).toBe(true);
  });

  it.each(['commit', 'rollback'])(
    'a message during it waits, looks again and goes by what came of it: %s',
    async (end) => {
      const { ada, bob, group } = chat;
      const [leaver, sender] = [await begin(ada), await begin(ada)];
      await leaveConversation(leaver, group);
      const { result } = await waiting(sender, (client) => sendMessage(client, group, 'Hello'));
      await leaver.query(end);
      if (end === 'commit') {
        await expectSqlState(result, 'MS002');
        await sender.query('rollback');
        expect(await messagesOf(db, bob, group)).toEqual([]);
      } else {
        expect(await result).toMatchObject({ content: 'Hello' });
        await sender.query('commit');
        expect(await unreadOf(db, bob, group)).toBe(1);
      }
    },
  );

  it.each(['message', 'leaving'] as const)(
    'others’ messages wait for nothing; first commits the %s',
    async (first) => {
      const { ada, bob, cleo, group } = chat;
      const [sender, leaver] = [await begin(ada), await begin(bob)];
      await sendMessage(sender, group, 'Hello');
      await leaveConversation(leaver, group);
      const [one_, other] = first === 'message' ? [sender, leaver] : [leaver, sender];
      await one_.query('commit');
      await other.query('commit');
      expect(await unreadOf(db, cleo, group)).toBe(1);
      expect(await unreadOf(db, bob, group)).toBeNull();
      // A row may be left over; it does not count where the membership is asked for.
      const { rows } = await db.pool.query(
        `select count(*)::int as n from app_hidden.direct_unread u
        join app_public.direct_member m using (conversation_id, account_id)
        where u.account_id = $1 and m.left_at is null`,
        [bob],
      );
      expect(rows).toEqual([{ n: 0 }]);
    },
  );

  it('a message to one who is deleting the account waits for nothing', async () => {
    const { ada, bob, pair } = chat;
    const [leaver, sender] = [await begin(bob), await begin(ada)];
    await leaver.query('select app_public.delete_account()');
    await sendMessage(sender, pair, 'Are you there?');
    await sender.query('commit');
    await leaver.query('commit');
    expect(await isLeft(pair, bob)).toBe(true);
  });
});

describe('mark_read beside send_message', () => {
  it('never takes what it does not see as read, be its id the smaller one', async () => {
    const { ada, bob, cleo, group } = chat;
    const slow = await begin(bob);
    const late = await sendMessage(slow, group, 'Slow');
    const early = await db.asAccount(cleo, (client) => sendMessage(client, group, 'Fast'), {
      commit: true,
    });
    expect(BigInt(late.id)).toBeLessThan(BigInt(early.id));
    await db.asAccount(ada, (client) => markRead(client, group), { commit: true });
    expect(await unreadOf(db, ada, group)).toBe(0);
    await slow.query('commit');
    expect(await unreadOf(db, ada, group)).toBe(1);
    await db.asAccount(ada, (client) => markRead(client, group, early.id), { commit: true });
    expect(await unreadOf(db, ada, group)).toBe(0);
  });

  it('waits for no sender, not for oneself either, and lets all of them go on', async () => {
    const { ada, bob, pair } = chat;
    const [reader, own, other] = [await begin(ada), await begin(ada), await begin(bob)];
    await sendMessage(own, pair, 'Mine');
    await sendMessage(other, pair, 'Yours');
    await other.query('commit');
    await markRead(reader, pair);
    await sendMessage(own, pair, 'Mine again');
    await db.asAccount(bob, (client) => sendMessage(client, pair, 'Yours again'), { commit: true });
    await reader.query('commit');
    await own.query('commit');
    expect(await unreadOf(db, ada, pair)).toBe(1);
    expect(await unreadOf(db, bob, pair)).toBe(2);
  });

  it('from two windows takes turns, and ends where the further one was', async () => {
    const { ada, bob, pair } = chat;
    const ids: string[] = [];
    for (let i = 0; i < 3; i += 1) {
      const sent = await db.asAccount(bob, (client) => sendMessage(client, pair, `${i}`), {
        commit: true,
      });
      ids.push(sent.id);
    }
    const [first, second] = [await begin(ada), await begin(ada)];
    await markRead(first, pair, ids[2]);
    const { result } = await waiting(second, (client) => markRead(client, pair, ids[0]));
    await first.query('commit');
    expect(await result).toMatchObject({ last_read_message_id: ids[2] });
    await second.query('commit');
    expect(await unreadOf(db, ada, pair)).toBe(0);
  });

  it('and the deletion of the same message end well in either order', async () => {
    const { ada, bob, pair } = chat;
    for (const first of ['read', 'delete']) {
      const { id } = await db.asAccount(bob, (client) => sendMessage(client, pair, 'Oops'), {
        commit: true,
      });
      const [reader, sender] = [await begin(ada), await begin(bob)];
      if (first === 'read') {
        await markRead(reader, pair);
        const { result } = await waiting(sender, (client) => deleteMessage(client, pair, id));
        await reader.query('commit');
        await result;
        await sender.query('commit');
      } else {
        await deleteMessage(sender, pair, id);
        const { result } = await waiting(reader, (client) => markRead(client, pair));
        await sender.query('commit');
        await result;
        await reader.query('commit');
      }
      expect(await unreadOf(db, ada, pair)).toBe(0);
    }
  });
});

describe('start_conversation', () => {
  it('by both at once is one conversation', async () => {
    const { ada, stranger } = chat;
    const [first, second] = [await begin(ada), await begin(stranger)];
    const made = await startConversation(first, [stranger]);
    const { result } = await waiting(second, (client) => startConversation(client, [ada]));
    await first.query('commit');
    expect(await result).toBe(made);
    await second.query('commit');
  });

  it('of one group by the same request twice is one group', async () => {
    const { ada, bob, cleo } = chat;
    const requestId = randomUUID();
    const [first, second] = [await begin(ada), await begin(ada)];
    const made = await startConversation(first, [bob, cleo], '', requestId);
    const { result } = await waiting(second, (client) =>
      startConversation(client, [cleo, bob], '', requestId),
    );
    await first.query('commit');
    expect(await result).toBe(made);
    await second.query('commit');
  });

  it('waits for a deletion of the other’s account, and is refused', async () => {
    const { ada, bob } = chat;
    const other = await createAccount(db, 'Otto');
    const leaver = await begin(other);
    await leaver.query('select app_public.delete_account()');
    const starter = await begin(ada);
    const { result } = await waiting(starter, (client) => startConversation(client, [bob, other]));
    await leaver.query('commit');
    await expectSqlState(result, 'MS008');
    await starter.query('rollback');
  });

  it('in flight is waited for by that deletion, which leaves it again', async () => {
    const { ada } = chat;
    const other = await createAccount(db, 'Otto');
    const starter = await begin(ada);
    const pair = await startConversation(starter, [other]);
    const leaver = await begin(other);
    const { result } = await waiting(leaver, (client) =>
      client.query('select app_public.delete_account()'),
    );
    await starter.query('commit');
    await result;
    await leaver.query('commit');
    expect(await isLeft(pair, other)).toBe(true);
  });
});

describe('a block beside a message', () => {
  it('waits for nothing; the message counts as sent before it', async () => {
    const { ada, bob, pair } = chat;
    const [blocker, sender] = [await begin(bob), await begin(ada)];
    await block(blocker, ada);
    await sendMessage(sender, pair, 'Hello');
    await blocker.query('commit');
    await expectSqlState(sendMessage(sender, pair, 'Once more'), 'MS003');
    await sender.query('rollback');
    expect(await messagesOf(db, bob, pair)).toEqual([]);
  });
});
