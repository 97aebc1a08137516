import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';
import { type Community, createCommunity, expectNoWrite, expectRefused, one } from './community.ts';

let db: TestDatabase;
let community: Community;

beforeAll(async () => {
  db = await createTestDatabase();
});

afterAll(async () => {
  await db?.drop();
});

beforeEach(async () => {
  community = await createCommunity(db);
});

const commit = { commit: true };
const history = `select action, reason, moderator_id, withdrawn_by_id, withdrawn_at is null as stands
  from app_public.conversation_moderation where conversation_id = $1 order by id`;

describe('create_conversation', () => {
  const text = 'select * from app_public.create_conversation($1, $2)';

  it('begins a conversation of the caller’s', async () => {
    const { voter } = community;
    const conversation = await db.asAccount(voter, (client) =>
      one(client, text, [' Rivers ', '\nWhat about them?\n']),
    );
    expect(conversation).toMatchObject({
      owner_id: voter,
      topic: 'Rivers',
      description: 'What about them?',
      locked_at: null,
      closed_at: null,
      deleted_at: null,
      opinion_count: '0',
      participant_count: '0',
    });
    const bare = await db.asAccount(voter, (client) => one(client, text, ['Rivers', null]));
    expect(bare).toMatchObject({ description: '' });
  });

  it('refuses a topic or a description of a wrong length', async () => {
    const { voter } = community;
    for (const [topic, description] of [
      ['', ''],
      [' \n ', ''],
      [null, ''],
      ['x'.repeat(301), ''],
      ['Rivers', 'x'.repeat(20_001)],
    ]) {
      await expectRefused(
        db,
        () => db.asAccount(voter, (client) => client.query(text, [topic, description])),
        'DL009',
      );
    }
  });

  it('refuses another owner by plain SQL', async () => {
    const { voter, owner } = community;
    await expectRefused(
      db,
      () =>
        db.asAccount(voter, (client) =>
          client.query("insert into app_public.conversation (owner_id, topic) values ($1, 'x')", [
            owner,
          ]),
        ),
      '42501',
    );
  });
});

describe.each([
  { close: 'close_conversation', open: 'reopen_conversation', column: 'closed_at', by: 'owner' },
  { close: 'lock_conversation', open: 'unlock_conversation', column: 'locked_at', by: 'moderator' },
] as const)('$close and $open', ({ close, open, column, by }) => {
  const closeText = `select * from app_public.${close}($1, $2)`;
  const openText = `select * from app_public.${open}($1)`;
  const act = (text: string, values: unknown[]) =>
    by === 'owner'
      ? db.asAccount(community.owner, (client) => one(client, text, values), commit)
      : db.asModerator(community.moderator, (client) => one(client, text, values), commit);

  it('close and open again, with a history', async () => {
    const { conversation } = community;
    const who = community[by];
    const closed = await act(closeText, [conversation, ' done ']);
    expect(closed[column]).toBeInstanceOf(Date);
    const open = await act(openText, [conversation]);
    expect(open[column]).toBeNull();
    await act(closeText, [conversation, null]);
    const { rows } = await db.pool.query(history, [conversation]);
    const action = by === 'owner' ? 'closed' : 'locked';
    expect(rows).toEqual([
      { action, reason: 'done', moderator_id: who, withdrawn_by_id: who, stands: false },
      { action, reason: '', moderator_id: who, withdrawn_by_id: null, stands: true },
    ]);
  });

  it('write nothing when repeated', async () => {
    const { conversation } = community;
    await expectNoWrite(db, () => act(openText, [conversation]));
    await act(closeText, [conversation, 'first']);
    await expectNoWrite(db, () => act(closeText, [conversation, 'second']));
  });

  it('leave the other state alone', async () => {
    const { conversation, owner, moderator } = community;
    await db.asModerator(
      moderator,
      (client) => client.query('select app_public.lock_conversation($1)', [conversation]),
      commit,
    );
    await db.asAccount(
      owner,
      (client) => client.query('select app_public.close_conversation($1)', [conversation]),
      commit,
    );
    const opened = await act(openText, [conversation]);
    expect(opened[column]).toBeNull();
    expect(opened[column === 'closed_at' ? 'locked_at' : 'closed_at']).toBeInstanceOf(Date);
  });

  it('are refused to others', async () => {
    const { conversation, voter, owner, moderator } = community;
    const code = by === 'owner' ? 'DL008' : 'DL007';
    const others = by === 'owner' ? [voter, moderator] : [voter, owner, moderator];
    for (const id of others) {
      await expectRefused(
        db,
        () => db.asAccount(id, (client) => client.query(closeText, [conversation, ''])),
        code,
      );
      await expectRefused(
        db,
        () => db.asAccount(id, (client) => client.query(openText, [conversation])),
        code,
      );
    }
  });

  it('know no conversation that never was or is deleted', async () => {
    const { conversation } = community;
    await db.pool.query('update app_public.conversation set deleted_at = now() where id = $1', [
      conversation,
    ]);
    for (const id of [conversation, '999999999']) {
      await expectRefused(db, () => act(closeText, [id, '']), 'DL001');
      await expectRefused(db, () => act(openText, [id]), 'DL001');
    }
  });

  it('take a reason of at most 2,000 characters', async () => {
    await expectRefused(
      db,
      () => act(closeText, [community.conversation, 'x'.repeat(2001)]),
      'DL009',
    );
  });
});

describe('closing', () => {
  it('is a moderator’s right too, and the owner may reopen', async () => {
    const { conversation, owner, moderator } = community;
    await db.asModerator(
      moderator,
      (client) => client.query('select app_public.close_conversation($1)', [conversation]),
      commit,
    );
    await db.asAccount(
      owner,
      (client) => client.query('select app_public.reopen_conversation($1)', [conversation]),
      commit,
    );
    const { rows } = await db.pool.query(history, [conversation]);
    expect(rows).toMatchObject([
      { action: 'closed', moderator_id: moderator, withdrawn_by_id: owner, stands: false },
    ]);
  });
});

describe('by plain SQL', () => {
  it('an owner locks nothing, a former moderator locks and closes nothing', async () => {
    const { conversation, owner, formerModerator } = community;
    await expectRefused(
      db,
      () =>
        db.asAccount(owner, (client) =>
          client.query('update app_public.conversation set locked_at = now()'),
        ),
      '42501',
    );
    for (const column of ['locked_at', 'closed_at']) {
      await expectNoWrite(db, () =>
        db.asModerator(
          formerModerator,
          (client) => client.query(`update app_public.conversation set ${column} = now()`),
          commit,
        ),
      );
    }
    await expectRefused(
      db,
      () =>
        db.asAccount(owner, (client) =>
          client.query(
            `insert into app_public.conversation_moderation (conversation_id, moderator_id, action)
            values ($1, $2, 'locked')`,
            [conversation, owner],
          ),
        ),
      '42501',
    );
  });

  it('nobody but the owner closes', async () => {
    const { voter } = community;
    await expectNoWrite(db, () =>
      db.asAccount(
        voter,
        (client) => client.query('update app_public.conversation set closed_at = now()'),
        commit,
      ),
    );
  });
});
