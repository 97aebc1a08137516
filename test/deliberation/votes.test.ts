import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';
import {
  type Community,
  cancelVote,
  castVote,
  countsOf,
  createCommunity,
  createOpinion,
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

describe('cast_vote', () => {
  it('casts, changes, and casts again after cancelling, in one row', async () => {
    const { voter, opinion, conversation } = community;
    const first = await db.asAccount(voter, (client) => castVote(client, opinion, 'agree'), commit);
    expect(first).toMatchObject({
      opinion_id: opinion,
      voter_id: voter,
      conversation_id: conversation,
      choice: 'agree',
      cancelled_at: null,
    });
    const second = await db.asAccount(voter, (client) => castVote(client, opinion, 'pass'), commit);
    expect(second).toMatchObject({ choice: 'pass', cancelled_at: null });
    expect(Number(second.cast_at)).toBeGreaterThan(Number(first.cast_at));
    await db.asAccount(voter, (client) => cancelVote(client, opinion), commit);
    const third = await db.asAccount(voter, (client) => castVote(client, opinion, 'pass'), commit);
    expect(third).toMatchObject({ choice: 'pass', cancelled_at: null });
    expect(Number(third.cast_at)).toBeGreaterThan(Number(second.cast_at));
    const { rows } = await db.pool.query(
      'select choice from app_public.opinion_vote where opinion_id = $1 and voter_id = $2',
      [opinion, voter],
    );
    expect(rows).toEqual([{ choice: 'pass' }]);
  });

  it('writes nothing when the vote is cast again', async () => {
    const { voter, opinion } = community;
    const first = await db.asAccount(voter, (client) => castVote(client, opinion, 'agree'), commit);
    const again = await expectNoWrite(db, () =>
      db.asAccount(voter, (client) => castVote(client, opinion, 'agree'), commit),
    );
    expect(again).toEqual(first);
  });

  it('is open to moderators, for themselves', async () => {
    const { moderator, opinion } = community;
    const vote = await db.asModerator(moderator, (client) => castVote(client, opinion, 'pass'));
    expect(vote).toMatchObject({ voter_id: moderator, choice: 'pass' });
  });

  it('is refused on an opinion that never was, or is deleted', async () => {
    const { author, voter, moderator, opinion } = community;
    await expectRefused(
      db,
      () => db.asAccount(voter, (client) => castVote(client, '999999999', 'agree')),
      'DL002',
    );
    await db.asAccount(
      author,
      (client) => client.query('select app_public.delete_opinion($1)', [opinion]),
      commit,
    );
    for (const cast of [
      () => db.asAccount(voter, (client) => castVote(client, opinion, 'agree')),
      () => db.asAccount(author, (client) => castVote(client, opinion, 'agree')),
      () => db.asAccount(author, (client) => castVote(client, opinion, 'pass')),
      () => db.asModerator(moderator, (client) => castVote(client, opinion, 'agree')),
    ]) {
      const error = await expectRefused(db, cast, 'DL002');
      expect(error.message).toBe('There is no such opinion');
    }
  });

  it.each(['move', 'hide'] as const)('is refused after a moderator’s %s', async (decision) => {
    const { author, voter, moderator, opinion } = community;
    await db.asModerator(moderator, (client) => moderate(client, opinion, decision), commit);
    for (const cast of [
      () => db.asAccount(voter, (client) => castVote(client, opinion, 'agree')),
      // The author has voted: neither the same again nor another choice.
      () => db.asAccount(author, (client) => castVote(client, opinion, 'agree')),
      () => db.asAccount(author, (client) => castVote(client, opinion, 'pass')),
      () => db.asModerator(moderator, (client) => castVote(client, opinion, 'agree')),
    ]) {
      const error = await expectRefused(db, cast, 'DL003');
      expect(error.message).toBe('This opinion is moderated and takes no votes');
    }
    await db.asModerator(moderator, (client) => moderate(client, opinion, 'withdraw'), commit);
    expect(await db.asAccount(voter, (client) => castVote(client, opinion, 'agree'))).toMatchObject(
      { choice: 'agree' },
    );
  });

  it('is refused in a locked, closed or deleted conversation', async () => {
    const { owner, voter, author, moderator, opinion, conversation } = community;
    const votes = [
      () => db.asAccount(voter, (client) => castVote(client, opinion, 'agree')),
      () => db.asAccount(author, (client) => castVote(client, opinion, 'agree')),
      () => db.asAccount(author, (client) => castVote(client, opinion, 'disagree')),
    ];
    const refusedWith = async (code: string) => {
      for (const cast of votes) await expectRefused(db, cast, code);
    };
    const call = (name: string) => ({
      text: `select app_public.${name}($1)`,
      values: [conversation],
    });
    await db.asAccount(owner, (client) => client.query(call('close_conversation')), commit);
    await refusedWith('DL005');
    await db.asModerator(moderator, (client) => client.query(call('lock_conversation')), commit);
    await refusedWith('DL004');
    await db.asAccount(owner, (client) => client.query(call('reopen_conversation')), commit);
    await refusedWith('DL004');
    await db.asModerator(moderator, (client) => client.query(call('unlock_conversation')), commit);
    for (const cast of votes) await cast();
    await db.pool.query('update app_public.conversation set deleted_at = now() where id = $1', [
      conversation,
    ]);
    await refusedWith('DL001');
  });

  it('needs an opinion and a choice', async () => {
    const { voter, opinion } = community;
    const text = 'select app_public.cast_vote($1, $2)';
    await expectRefused(
      db,
      () => db.asAccount(voter, (client) => client.query(text, [null, 'agree'])),
      'DL002',
    );
    await expectRefused(
      db,
      () => db.asAccount(voter, (client) => client.query(text, [opinion, null])),
      '23502',
    );
    await expectRefused(
      db,
      () => db.asAccount(voter, (client) => client.query(text, [opinion, 'maybe'])),
      '22P02',
    );
  });
});

describe('a vote by plain SQL as app_account', () => {
  const insert = `insert into app_public.opinion_vote (opinion_id, voter_id, conversation_id, choice)
    values ($1, $2, $3, 'agree')`;

  it('is taken for oneself', async () => {
    const { voter, opinion, conversation } = community;
    await db.asAccount(voter, (client) => client.query(insert, [opinion, voter, conversation]));
  });

  it('is refused for somebody else, also by change of the voter', async () => {
    const { voter, owner, opinion, conversation } = community;
    await expectRefused(
      db,
      () => db.asAccount(voter, (client) => client.query(insert, [opinion, owner, conversation])),
      '42501',
    );
    await db.asAccount(voter, (client) => castVote(client, opinion, 'agree'), commit);
    await expectRefused(
      db,
      () =>
        db.asAccount(voter, (client) =>
          client.query('update app_public.opinion_vote set voter_id = $1', [owner]),
        ),
      '42501',
    );
  });

  it('changes nobody else’s vote', async () => {
    const { voter, opinion } = community;
    await expectNoWrite(db, () =>
      db.asAccount(
        voter,
        (client) =>
          client.query("update app_public.opinion_vote set choice = 'pass' where opinion_id = $1", [
            opinion,
          ]),
        commit,
      ),
    );
  });

  it('keeps to the conversation of its opinion', async () => {
    const { voter, opinion } = community;
    const other = await createCommunity(db);
    await expectRefused(
      db,
      () =>
        db.asAccount(voter, (client) => client.query(insert, [opinion, voter, other.conversation])),
      '23503',
    );
  });

  it('is refused with the same errors as by function', async () => {
    const { voter, author, moderator, opinion, conversation } = community;
    const work = () =>
      db.asAccount(voter, (client) => client.query(insert, [opinion, voter, conversation]));
    const change = () =>
      db.asAccount(author, (client) =>
        client.query("update app_public.opinion_vote set choice = 'pass'"),
      );
    await db.asModerator(
      moderator,
      (client) => client.query('select app_public.lock_conversation($1)', [conversation]),
      commit,
    );
    await expectRefused(db, work, 'DL004');
    await expectRefused(db, change, 'DL004');
    await db.asModerator(moderator, (client) => moderate(client, opinion, 'hide'), commit);
    await expectRefused(db, work, 'DL003');
    await expectRefused(db, change, 'DL003');
  });
});

describe('cancel_vote', () => {
  it('cancels once', async () => {
    const { author, opinion } = community;
    const vote = await db.asAccount(author, (client) => cancelVote(client, opinion), commit);
    expect(vote).toMatchObject({ opinion_id: opinion, choice: 'agree' });
    expect(vote.cancelled_at).toBeInstanceOf(Date);
    const again = await expectNoWrite(db, () =>
      db.asAccount(author, (client) => cancelVote(client, opinion), commit),
    );
    expect(again).toEqual(vote);
  });

  it('does nothing where there is no vote', async () => {
    const { voter, opinion } = community;
    for (const id of [opinion, '999999999']) {
      const vote = await expectNoWrite(db, () =>
        db.asAccount(voter, (client) => cancelVote(client, id), commit),
      );
      expect(vote.opinion_id).toBeNull();
    }
  });

  it('is possible on an opinion that is moderated or deleted by now', async () => {
    const { author, voter, moderator, opinion, conversation } = community;
    const deleted = await db.asAccount(
      author,
      (client) => createOpinion(client, conversation, 'Never mind'),
      commit,
    );
    await db.asAccount(
      voter,
      async (client) => {
        await castVote(client, opinion, 'disagree');
        await castVote(client, deleted, 'disagree');
      },
      commit,
    );
    await db.asModerator(moderator, (client) => moderate(client, opinion, 'hide'), commit);
    await db.asAccount(
      author,
      (client) => client.query('select app_public.delete_opinion($1)', [deleted]),
      commit,
    );
    for (const id of [opinion, deleted]) {
      const vote = await db.asAccount(voter, (client) => cancelVote(client, id), commit);
      expect(vote.cancelled_at).toBeInstanceOf(Date);
    }
  });

  it('is refused in a locked or closed conversation', async () => {
    const { owner, author, moderator, opinion, conversation } = community;
    const cancel = () => db.asAccount(author, (client) => cancelVote(client, opinion));
    await db.asAccount(
      owner,
      (client) => client.query('select app_public.close_conversation($1)', [conversation]),
      commit,
    );
    await expectRefused(db, cancel, 'DL005');
    await db.asModerator(
      moderator,
      (client) => client.query('select app_public.lock_conversation($1)', [conversation]),
      commit,
    );
    await expectRefused(db, cancel, 'DL004');
  });
});

describe('what a viewer sees of votes', () => {
  it('is their own choice and everybody’s counts', async () => {
    const { voter, author, moderator, opinion, conversation } = community;
    await db.asAccount(voter, (client) => castVote(client, opinion, 'disagree'), commit);
    const text = `select app_public.opinion_my_choice(o) as choice,
      (select count(*)::int from app_public.opinion_vote) as votes
      from app_public.opinion o where id = $1`;
    const see = { text, values: [opinion] };
    expect(await db.asAccount(voter, (client) => one(client, see.text, see.values))).toEqual({
      choice: 'disagree',
      votes: 1,
    });
    expect(await db.asAccount(author, (client) => one(client, text, [opinion]))).toEqual({
      choice: 'agree',
      votes: 1,
    });
    expect(await db.asModerator(moderator, (client) => one(client, text, [opinion]))).toEqual({
      choice: null,
      votes: 0,
    });
    expect(await db.asAnonymous((client) => one(client, text, [opinion]))).toEqual({
      choice: null,
      votes: 0,
    });
    expect((await countsOf(db, conversation)).slice(0, 3)).toEqual([1, 2, 2]);
    await db.asAccount(voter, (client) => cancelVote(client, opinion), commit);
    expect(await db.asAccount(voter, (client) => one(client, text, [opinion]))).toEqual({
      choice: null,
      votes: 1,
    });
  });

  it('is when the conversation was last voted in, without whom', async () => {
    const { voter, opinion, conversation } = community;
    const text = `select app_public.conversation_last_reacted_at(c) as at
      from app_public.conversation c where id = $1`;
    const vote = await db.asAccount(voter, (client) => castVote(client, opinion, 'pass'), commit);
    const ask = () => db.asAnonymous((client) => one(client, text, [conversation]));
    expect(await ask()).toEqual({ at: vote.cast_at });
    await db.asAccount(voter, (client) => cancelVote(client, opinion), commit);
    const { at } = await ask();
    expect(Number(at)).toBeLessThan(Number(vote.cast_at));
    const other = await createCommunity(db);
    await db.asAccount(other.author, (client) => cancelVote(client, other.opinion), commit);
    expect(await db.asAnonymous((client) => one(client, text, [other.conversation]))).toEqual({
      at: null,
    });
  });
});
