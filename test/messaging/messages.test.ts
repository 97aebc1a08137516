import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { expectNoWrite, expectRefused } from '../deliberation/community.ts';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';
import {
  block,
  type Chat,
  createChat,
  deleteMessage,
  editMessage,
  leaveConversation,
  markRead,
  messagesOf,
  sendMessage,
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

const send = (account: string, conversation: unknown, content: unknown, requestId?: string) =>
  db.asAccount(account, (client) => sendMessage(client, conversation, content, requestId), commit);
const edit = (account: string, conversation: unknown, message: unknown, content: unknown) =>
  db.asAccount(account, (client) => editMessage(client, conversation, message, content), commit);
const remove = (account: string, conversation: unknown, message: unknown) =>
  db.asAccount(account, (client) => deleteMessage(client, conversation, message), commit);
const read = (account: string, conversation: unknown, message?: unknown) =>
  db.asAccount(account, (client) => markRead(client, conversation, message), commit);

/** Whom a message waits for, as the table has it. */
const waitingFor = async (message: string) =>
  (
    await db.pool.query<{ account_id: string }>(
      'select account_id from app_hidden.direct_unread where message_id = $1 order by 1',
      [message],
    )
  ).rows.map(({ account_id }) => account_id);

describe('send_message', () => {
  it('reaches everybody else, unread', async () => {
    const { ada, bob, cleo, group } = chat;
    const message = await send(bob, group, ' Hello everybody\n');
    expect(message).toMatchObject({
      conversation_id: group,
      sender_id: bob,
      content: 'Hello everybody',
      edited_at: null,
      deleted_at: null,
    });
    expect(await waitingFor(message.id)).toEqual([ada, cleo]);
    expect(await messagesOf(db, cleo, group)).toEqual(['Hello everybody']);
    expect([
      await unreadOf(db, ada, group),
      await unreadOf(db, bob, group),
      await unreadOf(db, cleo, group),
    ]).toEqual([1, 0, 1]);
  });

  it('without a request id is a message each time, with one the same', async () => {
    const { ada, bob, pair, group } = chat;
    const requestId = randomUUID();
    const first = await send(ada, pair, 'Once', requestId);
    const again = await expectNoWrite(db, () => send(ada, pair, ' Once ', requestId));
    expect(again.id).toBe(first.id);
    await send(ada, pair, 'Twice');
    await send(ada, pair, 'Twice');
    expect(await messagesOf(db, bob, pair)).toEqual(['Twice', 'Twice', 'Once']);
    // Another conversation and another sender have their own request ids.
    expect((await send(ada, group, 'Once', requestId)).id).not.toBe(first.id);
    expect((await send(bob, pair, 'Once', requestId)).id).not.toBe(first.id);
  });

  it('repeated with another text is refused, unless the first has changed since', async () => {
    const { ada, pair } = chat;
    const requestId = randomUUID();
    const { id } = await send(ada, pair, 'Once', requestId);
    await expectRefused(db, () => send(ada, pair, 'Other', requestId), 'MS006');
    await edit(ada, pair, id, 'Corrected');
    expect(await expectNoWrite(db, () => send(ada, pair, 'Once', requestId))).toMatchObject({
      id,
      content: 'Corrected',
    });
    await remove(ada, pair, id);
    expect(await expectNoWrite(db, () => send(ada, pair, 'Once', requestId))).toMatchObject({
      id,
      content: '',
    });
  });

  it('repeated after leaving or a block is what it was the first time', async () => {
    const { ada, bob, pair } = chat;
    const requestId = randomUUID();
    const { id } = await send(ada, pair, 'Once', requestId);
    await db.asAccount(bob, (client) => block(client, ada), commit);
    expect((await expectNoWrite(db, () => send(ada, pair, 'Once', requestId))).id).toBe(id);
    await db.asAccount(ada, (client) => leaveConversation(client, pair), commit);
    expect((await expectNoWrite(db, () => send(ada, pair, 'Once', requestId))).id).toBe(id);
  });

  it('takes 4,000 characters of any script and refuses 4,001 and none', async () => {
    const { ada, pair } = chat;
    const longest = '🌳'.repeat(4000);
    expect((await send(ada, pair, longest)).content).toBe(longest);
    for (const content of ['🌳'.repeat(4001), '', ' \t\r\n', null]) {
      await expectRefused(db, () => send(ada, pair, content), 'MS005');
    }
  });

  it('is for those who take part', async () => {
    const { stranger, cleo, moderator, pair } = chat;
    for (const account of [stranger, cleo]) {
      await expectRefused(db, () => send(account, pair, 'Hello'), 'MS001');
    }
    await expectRefused(
      db,
      () => db.asModerator(moderator, (client) => sendMessage(client, pair, 'Hello')),
      'MS001',
    );
    for (const conversation of ['999999999', '-1', null]) {
      await expectRefused(db, () => send(stranger, conversation, 'Hello'), 'MS001');
    }
  });

  it('is refused between accounts of which one blocks the other, in groups too', async () => {
    const { ada, bob, cleo, pair, group } = chat;
    await db.asAccount(bob, (client) => block(client, ada), commit);
    for (const conversation of [pair, group]) {
      const blocked = await expectRefused(db, () => send(ada, conversation, 'Hello'), 'MS003');
      expect(blocked.detail).not.toContain(`account ${bob}`);
      const own = await expectRefused(db, () => send(bob, conversation, 'Hello'), 'MS003');
      expect(own.detail).toContain(`account ${ada}`);
    }
    await send(cleo, group, 'Hello');
    await db.asAccount(
      bob,
      (client) => client.query('select app_public.unblock_account($1)', [ada]),
      commit,
    );
    await send(ada, pair, 'Hello');
  });

  it('is possible again when the blocked one has left the group', async () => {
    const { ada, bob, group } = chat;
    await db.asAccount(bob, (client) => block(client, ada), commit);
    await db.asAccount(bob, (client) => leaveConversation(client, group), commit);
    await send(ada, group, 'Hello');
  });

  it('is refused to suspended accounts, and reaches them', async () => {
    const { ada, bob, pair } = chat;
    await suspend(db, chat, ada);
    await expectRefused(db, () => send(ada, pair, 'Hello'), 'AC005');
    await send(bob, pair, 'Hello');
    expect(await unreadOf(db, ada, pair)).toBe(1);
    await read(ada, pair);
    expect(await unreadOf(db, ada, pair)).toBe(0);
  });
});

describe('edit_message', () => {
  it('changes the text of one’s own, and says so', async () => {
    const { ada, bob, pair } = chat;
    const { id } = await send(ada, pair, 'Helo');
    const edited = await edit(ada, pair, id, ' Hello ');
    expect(edited).toMatchObject({ id, content: 'Hello' });
    expect(edited.edited_at).toBeInstanceOf(Date);
    expect(await messagesOf(db, bob, pair)).toEqual(['Hello']);
    expect(await unreadOf(db, bob, pair)).toBe(1);
    await expectNoWrite(db, () => edit(ada, pair, id, 'Hello'));
  });

  it('refuses what is another’s, deleted, elsewhere or nothing', async () => {
    const { ada, bob, stranger, pair, group } = chat;
    const { id } = await send(ada, pair, 'Hello');
    await expectRefused(db, () => edit(bob, pair, id, 'Mine'), 'MS010');
    await expectRefused(db, () => edit(stranger, pair, id, 'Mine'), 'MS001');
    for (const message of ['999999999', null]) {
      await expectRefused(db, () => edit(ada, pair, message, 'Mine'), 'MS009');
    }
    await expectRefused(db, () => edit(ada, group, id, 'Mine'), 'MS009');
    for (const content of ['', ' ', 'x'.repeat(4001), null]) {
      await expectRefused(db, () => edit(ada, pair, id, content), 'MS005');
    }
    await remove(ada, pair, id);
    await expectRefused(db, () => edit(ada, pair, id, 'Again'), 'MS011');
  });

  it('is refused to who may not write there any more', async () => {
    const { ada, bob, cleo, pair, group } = chat;
    const { id } = await send(ada, pair, 'Hello');
    const inGroup = await send(cleo, group, 'Hello');
    await db.asAccount(bob, (client) => block(client, ada), commit);
    await expectRefused(db, () => edit(ada, pair, id, 'Rude'), 'MS003');
    await db.asAccount(cleo, (client) => leaveConversation(client, group), commit);
    await expectRefused(db, () => edit(cleo, group, inGroup.id, 'Rude'), 'MS002');
    await suspend(db, chat, ada);
    await expectRefused(db, () => edit(ada, pair, id, 'Rude'), 'AC005');
  });
});

describe('delete_message', () => {
  it('empties it for everybody, and nobody has it unread', async () => {
    const { ada, bob, cleo, group } = chat;
    const { id } = await send(ada, group, 'Oops');
    await send(ada, group, 'Hello');
    const deleted = await remove(ada, group, id);
    expect(deleted).toMatchObject({ id, content: '' });
    expect(deleted.deleted_at).toBeInstanceOf(Date);
    expect(await messagesOf(db, bob, group)).toEqual(['Hello', '']);
    expect([await unreadOf(db, bob, group), await unreadOf(db, cleo, group)]).toEqual([1, 1]);
    await expectNoWrite(db, () => remove(ada, group, id));
  });

  it('is its sender’s right, suspended, blocked or gone', async () => {
    const { ada, bob, pair } = chat;
    const ids: string[] = [];
    for (let i = 0; i < 3; i += 1) ids.push((await send(ada, pair, `Message ${i}`)).id);
    await suspend(db, chat, ada);
    await remove(ada, pair, ids[0]);
    await db.asAccount(bob, (client) => block(client, ada), commit);
    await remove(ada, pair, ids[1]);
    await db.asAccount(ada, (client) => leaveConversation(client, pair), commit);
    await remove(ada, pair, ids[2]);
    expect(await messagesOf(db, bob, pair)).toEqual(['', '', '']);
  });

  it('refuses what is another’s or nothing', async () => {
    const { ada, bob, stranger, moderator, pair } = chat;
    const { id } = await send(ada, pair, 'Hello');
    await expectRefused(db, () => remove(bob, pair, id), 'MS010');
    await expectRefused(db, () => remove(stranger, pair, id), 'MS001');
    await expectRefused(
      db,
      () => db.asModerator(moderator, (client) => deleteMessage(client, pair, id)),
      'MS001',
    );
    for (const message of ['999999999', null]) {
      await expectRefused(db, () => remove(ada, pair, message), 'MS009');
    }
  });
});

describe('mark_read', () => {
  it('up to a message, or all; the position moves forward only', async () => {
    const { ada, bob, pair } = chat;
    const ids: string[] = [];
    for (let i = 0; i < 4; i += 1) ids.push((await send(ada, pair, `Message ${i}`)).id);
    expect(await read(bob, pair, ids[1])).toMatchObject({ last_read_message_id: ids[1] });
    expect(await unreadOf(db, bob, pair)).toBe(2);
    await expectNoWrite(db, () => read(bob, pair, ids[0]));
    expect(await read(bob, pair)).toMatchObject({ last_read_message_id: ids[3] });
    expect(await unreadOf(db, bob, pair)).toBe(0);
    await expectNoWrite(db, () => read(bob, pair));
    await expectNoWrite(db, () => read(bob, pair, ids[2]));
    // One's own messages move the position too, and nothing else.
    await send(bob, pair, 'Answer');
    expect(await unreadOf(db, bob, pair)).toBe(0);
  });

  it('takes a message that is not there as the latest before it', async () => {
    const { ada, bob, pair, group } = chat;
    await expectNoWrite(db, () => read(bob, pair, '999999999'));
    const { id } = await send(ada, pair, 'Hello');
    const elsewhere = await send(ada, group, 'Hello');
    expect(await read(bob, pair, elsewhere.id)).toMatchObject({ last_read_message_id: id });
    await expectNoWrite(db, () => read(bob, pair, '-1'));
    expect(await unreadOf(db, bob, group)).toBe(1);
  });

  it('is for those who take part', async () => {
    const { bob, stranger, pair } = chat;
    for (const conversation of [pair, '999999999', null]) {
      await expectRefused(db, () => read(stranger, conversation), 'MS001');
    }
    await db.asAccount(bob, (client) => leaveConversation(client, pair), commit);
    await expectRefused(db, () => read(bob, pair), 'MS002');
  });
});
