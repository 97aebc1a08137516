import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';
import {
  type Community,
  createAccount,
  createCommunity,
  createOpinion,
  type Decision,
  expectNoWrite,
  expectRefused,
  moderate,
  one,
} from './community.ts';

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
const votesOn = 'select voter_id, choice from app_public.opinion_vote where opinion_id = $1';

describe('create_opinion', () => {
  it('casts its author’s agree in the same call', async () => {
    const { voter, conversation } = community;
    const opinion = await db.asAccount(
      voter,
      (client) =>
        one(client, 'select * from app_public.create_opinion($1, $2)', [conversation, '\n Yes \t']),
      commit,
    );
    expect(opinion).toMatchObject({
      author_id: voter,
      conversation_id: conversation,
      content: 'Yes',
      is_seed: false,
      moderation: null,
      deleted_at: null,
    });
    const { rows } = await db.pool.query(votesOn, [opinion.id]);
    expect(rows).toEqual([{ voter_id: voter, choice: 'agree' }]);
  });

  it('takes seed opinions of the owner and of moderators, and casts no vote', async () => {
    const { owner, moderator, conversation } = community;
    const seeds = [
      await db.asAccount(
        owner,
        (client) => createOpinion(client, conversation, 'Seed', true),
        commit,
      ),
      await db.asModerator(
        moderator,
        (client) => createOpinion(client, conversation, 'Seed', true),
        commit,
      ),
    ];
    for (const seed of seeds) {
      expect((await db.pool.query(votesOn, [seed])).rows).toEqual([]);
    }
  });

  it('refuses seed opinions of anybody else, by function and by plain SQL', async () => {
    const { voter, conversation } = community;
    await expectRefused(
      db,
      () => db.asAccount(voter, (client) => createOpinion(client, conversation, 'Seed', true)),
      'DL008',
    );
    await expectRefused(
      db,
      () =>
        db.asAccount(voter, (client) =>
          client.query(
            `insert into app_public.opinion (conversation_id, author_id, content, is_seed)
            values ($1, $2, 'Seed', true)`,
            [conversation, voter],
          ),
        ),
      '42501',
    );
  });

  it('refuses an author other than the caller', async () => {
    const { voter, owner, conversation } = community;
    await expectRefused(
      db,
      () =>
        db.asAccount(voter, (client) =>
          client.query(
            `insert into app_public.opinion (conversation_id, author_id, content)
            values ($1, $2, 'Not mine')`,
            [conversation, owner],
          ),
        ),
      '42501',
    );
  });

  it('takes 2,000 characters and refuses none and 2,001', async () => {
    const { voter, conversation } = community;
    await db.asAccount(voter, (client) => createOpinion(client, conversation, '我'.repeat(2000)));
    for (const content of ['', ' \r\n\t ', '我'.repeat(2001), null]) {
      const work = () =>
        db.asAccount(voter, (client) =>
          client.query('select app_public.create_opinion($1, $2)', [conversation, content]),
        );
      const error = await expectRefused(db, work, 'DL009');
      expect(error.message).toMatch(/^The opinion is (empty|too long)$/);
    }
  });

  it('is refused where there is no conversation, or a closed or locked one', async () => {
    const { owner, voter, moderator, conversation } = community;
    const add = () => db.asAccount(voter, (client) => createOpinion(client, conversation, 'Late'));
    const addBySql = () =>
      db.asAccount(voter, (client) =>
        client.query(
          `insert into app_public.opinion (conversation_id, author_id, content)
          values ($1, $2, 'Late')`,
          [conversation, voter],
        ),
      );
    await expectRefused(
      db,
      () => db.asAccount(voter, (client) => createOpinion(client, '999999999', 'Where?')),
      'DL001',
    );
    await db.asAccount(
      owner,
      (client) => client.query('select app_public.close_conversation($1)', [conversation]),
      commit,
    );
    await expectRefused(db, add, 'DL005');
    await expectRefused(db, addBySql, 'DL005');
    await db.asModerator(
      moderator,
      (client) => client.query('select app_public.lock_conversation($1)', [conversation]),
      commit,
    );
    await expectRefused(db, add, 'DL004');
    await expectRefused(db, addBySql, 'DL004');
  });
});

describe('delete_opinion', () => {
  const remove = { text: 'select * from app_public.delete_opinion($1)' };

  it('deletes the caller’s, once', async () => {
    const { author, opinion } = community;
    const deleted = await db.asAccount(
      author,
      (client) => one(client, remove.text, [opinion]),
      commit,
    );
    expect(deleted.deleted_at).toBeInstanceOf(Date);
    const again = await expectNoWrite(db, () =>
      db.asAccount(author, (client) => one(client, remove.text, [opinion]), commit),
    );
    expect(again).toEqual(deleted);
  });

  it('is refused to anybody else', async () => {
    const { owner, voter, moderator, opinion } = community;
    for (const work of [
      () => db.asAccount(owner, (client) => client.query(remove.text, [opinion])),
      () => db.asAccount(voter, (client) => client.query(remove.text, [opinion])),
      () => db.asModerator(moderator, (client) => client.query(remove.text, [opinion])),
    ]) {
      await expectRefused(db, work, 'DL006');
    }
  });

  it('knows no opinion that never was, or that others have deleted', async () => {
    const { author, voter, opinion } = community;
    await db.asAccount(author, (client) => client.query(remove.text, [opinion]), commit);
    for (const id of [opinion, '999999999']) {
      await expectRefused(
        db,
        () => db.asAccount(voter, (client) => client.query(remove.text, [id])),
        'DL002',
      );
    }
  });

  it('works on a hidden opinion, and in a locked conversation', async () => {
    const { author, moderator, opinion, conversation } = community;
    await db.asModerator(
      moderator,
      async (client) => {
        await moderate(client, opinion, 'hide');
        await client.query('select app_public.lock_conversation($1)', [conversation]);
      },
      commit,
    );
    const deleted = await db.asAccount(
      author,
      (client) => one(client, remove.text, [opinion]),
      commit,
    );
    expect(deleted).toMatchObject({ moderation: 'hidden' });
    expect(deleted.deleted_at).toBeInstanceOf(Date);
  });

  it('cannot be undone, nor the opinion rewritten, by plain SQL', async () => {
    const { author, opinion } = community;
    await db.asAccount(author, (client) => client.query(remove.text, [opinion]), commit);
    await expectNoWrite(db, () =>
      db.asAccount(
        author,
        (client) =>
          client.query('update app_public.opinion set deleted_at = null where id = $1', [opinion]),
        commit,
      ),
    );
    await expectRefused(
      db,
      () =>
        db.asAccount(author, (client) =>
          client.query("update app_public.opinion set content = 'Less' where id = $1", [opinion]),
        ),
      '42501',
    );
  });
});

describe('moderate_opinion', () => {
  const history = `select action, reason, moderator_id, withdrawn_by_id, withdrawn_at is null as stands
    from app_public.opinion_moderation where opinion_id = $1 order by id`;

  it('moves, hides and withdraws, and writes who and why', async () => {
    const { moderator, opinion } = community;
    const other = await createAccount(db, 'Otto', { moderator: true });
    const as = (id: string, decision: Decision, reason: string) =>
      db.asModerator(id, (client) => moderate(client, opinion, decision, reason), commit);

    expect(await as(moderator, 'move', ' off topic ')).toMatchObject({ moderation: 'moved' });
    expect(await as(other, 'hide', 'insult')).toMatchObject({ moderation: 'hidden' });
    expect(await as(moderator, 'withdraw', '')).toMatchObject({ moderation: null });
    expect(await as(other, 'move', 'again')).toMatchObject({ moderation: 'moved' });

    const { rows } = await db.pool.query(history, [opinion]);
    expect(rows).toEqual([
      {
        action: 'moved',
        reason: 'off topic',
        moderator_id: moderator,
        withdrawn_by_id: other,
        stands: false,
      },
      {
        action: 'hidden',
        reason: 'insult',
        moderator_id: other,
        withdrawn_by_id: moderator,
        stands: false,
      },
      {
        action: 'moved',
        reason: 'again',
        moderator_id: other,
        withdrawn_by_id: null,
        stands: true,
      },
    ]);
  });

  it.each(['move', 'hide', 'withdraw'] as const)(
    'writes nothing when it is %s already',
    async (decision) => {
      const { moderator, opinion } = community;
      await db.asModerator(
        moderator,
        (client) => moderate(client, opinion, decision, 'first'),
        commit,
      );
      await expectNoWrite(db, () =>
        db.asModerator(
          moderator,
          (client) => moderate(client, opinion, decision, 'second'),
          commit,
        ),
      );
    },
  );

  it('is refused to everybody but moderators', async () => {
    const { owner, author, voter, moderator, opinion } = community;
    for (const id of [owner, author, voter, moderator]) {
      await expectRefused(
        db,
        () => db.asAccount(id, (client) => moderate(client, opinion, 'hide')),
        'DL007',
      );
    }
  });

  it('is refused by plain SQL to authors and to former moderators', async () => {
    const { author, formerModerator, conversation, opinion } = community;
    const update = "update app_public.opinion set moderation = 'moved' where id = $1";
    await expectRefused(
      db,
      () => db.asAccount(author, (client) => client.query(update, [opinion])),
      '42501',
    );
    const own = await db.asAccount(
      formerModerator,
      (client) => createOpinion(client, conversation, 'Mine'),
      commit,
    );
    for (const id of [own, opinion]) {
      await expectNoWrite(db, () =>
        db.asModerator(formerModerator, (client) => client.query(update, [id]), commit),
      );
      await expectRefused(
        db,
        () =>
          db.asModerator(formerModerator, (client) =>
            client.query(
              `insert into app_public.opinion_moderation (opinion_id, moderator_id, action)
              values ($1, $2, 'moved')`,
              [id, formerModerator],
            ),
          ),
        '42501',
      );
    }
  });

  it('writes no history in another’s name', async () => {
    const { moderator, voter, opinion } = community;
    await expectRefused(
      db,
      () =>
        db.asModerator(moderator, (client) =>
          client.query(
            `insert into app_public.opinion_moderation (opinion_id, moderator_id, action)
            values ($1, $2, 'moved')`,
            [opinion, voter],
          ),
        ),
      '42501',
    );
  });

  it('needs an opinion, a decision and at most 2,000 characters of reason', async () => {
    const { author, moderator, opinion } = community;
    const text = 'select app_public.moderate_opinion($1, $2, $3)';
    const as = (values: unknown[]) => () =>
      db.asModerator(moderator, (client) => client.query(text, values));
    await expectRefused(db, as(['999999999', 'hide', '']), 'DL002');
    await expectRefused(db, as([opinion, null, '']), 'DL010');
    await expectRefused(db, as([opinion, 'hide', 'x'.repeat(2001)]), 'DL009');
    await db.asAccount(
      author,
      (client) => client.query('select app_public.delete_opinion($1)', [opinion]),
      commit,
    );
    await expectRefused(db, as([opinion, 'hide', '']), 'DL002');
  });
});
