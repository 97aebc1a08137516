import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';
import {
  type Choice,
  type Community,
  cancelVote,
  castVote,
  countsOf,
  createAccount,
  createCommunity,
  createOpinion,
  drain,
  expectExactCounts,
  moderate,
  one,
} from './community.ts';

let db: TestDatabase;

beforeAll(async () => {
  db = await createTestDatabase();
});

afterAll(async () => {
  await db?.drop();
});

const commit = { commit: true };

/** opinions, votes, participants; the same in total; moved, hidden. */
type Counts = [number, number, number, number, number, number, number, number];

describe('the counting rules, one operation after the other', () => {
  let community: Community;
  let second: string;
  let seed: string;

  const steps: [string, () => Promise<unknown>, Counts][] = [
    ['an opinion with its author’s agree', async () => undefined, [1, 1, 1, 1, 1, 1, 0, 0]],
    [
      'a seed opinion has no vote',
      async () => {
        seed = await db.asAccount(
          community.owner,
          (client) => createOpinion(client, community.conversation, 'Seed', true),
          commit,
        );
      },
      [2, 1, 1, 2, 1, 1, 0, 0],
    ],
    [
      'a vote, which may be a pass',
      () =>
        db.asAccount(
          community.voter,
          (client) => castVote(client, community.opinion, 'pass'),
          commit,
        ),
      [2, 2, 2, 2, 2, 2, 0, 0],
    ],
    [
      'a changed vote is one vote',
      () =>
        db.asAccount(
          community.voter,
          (client) => castVote(client, community.opinion, 'disagree'),
          commit,
        ),
      [2, 2, 2, 2, 2, 2, 0, 0],
    ],
    [
      'a second vote of the same account is no second participant',
      () => db.asAccount(community.voter, (client) => castVote(client, seed, 'agree'), commit),
      [2, 3, 2, 2, 3, 2, 0, 0],
    ],
    [
      'an opinion of a participant',
      async () => {
        second = await db.asAccount(
          community.voter,
          (client) => createOpinion(client, community.conversation, 'Second'),
          commit,
        );
      },
      [3, 4, 2, 3, 4, 2, 0, 0],
    ],
    [
      'a cancelled vote does not count',
      () => db.asAccount(community.voter, (client) => cancelVote(client, seed), commit),
      [3, 3, 2, 3, 3, 2, 0, 0],
    ],
    [
      'cast again it does',
      () => db.asAccount(community.voter, (client) => castVote(client, seed, 'agree'), commit),
      [3, 4, 2, 3, 4, 2, 0, 0],
    ],
    [
      'a moved opinion leaves the counts with its votes, and stays in the totals',
      () =>
        db.asModerator(
          community.moderator,
          (client) => moderate(client, community.opinion, 'move'),
          commit,
        ),
      [2, 2, 1, 3, 4, 2, 1, 0],
    ],
    [
      'a hidden one likewise',
      () =>
        db.asModerator(community.moderator, (client) => moderate(client, second, 'hide'), commit),
      [1, 1, 1, 3, 4, 2, 1, 1],
    ],
    [
      'from moved to hidden',
      () =>
        db.asModerator(
          community.moderator,
          (client) => moderate(client, community.opinion, 'hide'),
          commit,
        ),
      [1, 1, 1, 3, 4, 2, 0, 2],
    ],
    [
      'withdrawing brings the opinion and its votes back',
      () =>
        db.asModerator(
          community.moderator,
          (client) => moderate(client, community.opinion, 'withdraw'),
          commit,
        ),
      [2, 3, 2, 3, 4, 2, 0, 1],
    ],
    [
      'a deleted opinion is out of all counts, be it hidden',
      () =>
        db.asAccount(
          community.voter,
          (client) => client.query('select app_public.delete_opinion($1)', [second]),
          commit,
        ),
      [2, 3, 2, 2, 3, 2, 0, 0],
    ],
    [
      'a lock and a close change nothing',
      async () => {
        await db.asModerator(
          community.moderator,
          (client) =>
            client.query('select app_public.lock_conversation($1)', [community.conversation]),
          commit,
        );
        await db.asAccount(
          community.owner,
          (client) =>
            client.query('select app_public.close_conversation($1)', [community.conversation]),
          commit,
        );
      },
      [2, 3, 2, 2, 3, 2, 0, 0],
    ],
    [
      'a deleted account takes its votes along, in a locked conversation too',
      () =>
        db.asAccount(
          community.voter,
          (client) => client.query('select app_public.delete_account()'),
          commit,
        ),
      [2, 1, 1, 2, 1, 1, 0, 0],
    ],
    [
      'and its opinions',
      () =>
        db.asAccount(
          community.author,
          (client) => client.query('select app_public.delete_account()'),
          commit,
        ),
      [1, 0, 0, 1, 0, 0, 0, 0],
    ],
  ];

  // Once with everything pending in the logs, once drained after every step.
  it.each([false, true])('are exact at every step, drained in between: %s', async (drained) => {
    community = await createCommunity(db);
    for (const [name, step, expected] of steps) {
      await step();
      if (drained) await drain(db);
      expect(await countsOf(db, community.conversation), name).toEqual(expected);
      await expectExactCounts(db);
      if (drained) await expectExactCounts(db, { drained });
    }
    await drain(db);
    await expectExactCounts(db, { drained: true });
  });
});

describe('an opinion’s own counts', () => {
  it('show its votes in every state of it', async () => {
    const community = await createCommunity(db);
    const { opinion, voter, moderator, author } = community;
    const read = async () =>
      Object.values(
        await one(
          db.pool,
          `select app_public.opinion_agree_count(o), app_public.opinion_disagree_count(o),
          app_public.opinion_pass_count(o) from app_public.opinion o where id = $1`,
          [opinion],
        ),
      ).map(Number);
    await db.asAccount(voter, (client) => castVote(client, opinion, 'disagree'), commit);
    expect(await read()).toEqual([1, 1, 0]);
    for (const decision of ['move', 'hide'] as const) {
      await db.asModerator(moderator, (client) => moderate(client, opinion, decision), commit);
      expect(await read()).toEqual([1, 1, 0]);
    }
    await db.asAccount(voter, (client) => cancelVote(client, opinion), commit);
    expect(await read()).toEqual([1, 0, 0]);
    await db.asAccount(
      author,
      (client) => client.query('select app_public.delete_opinion($1)', [opinion]),
      commit,
    );
    expect(await read()).toEqual([1, 0, 0]);
  });

  it('are the same to every viewer, who sees but their own vote', async () => {
    const { opinion, voter, moderator } = await createCommunity(db);
    await db.asAccount(voter, (client) => castVote(client, opinion, 'disagree'), commit);
    const text = `select app_public.opinion_agree_count(o)::int as agree,
      app_public.opinion_disagree_count(o)::int as disagree from app_public.opinion o where id = $1`;
    const counts = { agree: 1, disagree: 1 };
    expect(await db.asAnonymous((client) => one(client, text, [opinion]))).toEqual(counts);
    expect(await db.asAccount(voter, (client) => one(client, text, [opinion]))).toEqual(counts);
    expect(await db.asModerator(moderator, (client) => one(client, text, [opinion]))).toEqual(
      counts,
    );
  });
});

describe('a random history of calls', () => {
  // A linear congruential generator: the history is the same in every run.
  const random = (seed: number) => {
    let state = seed;
    return (below: number) => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
  };

  it.each([1, 2])('keeps every count exact (seed %s)', async (seed) => {
    const next = random(seed);
    const pick = <T>(from: T[]): T => from[next(from.length)] as T;
    const community = await createCommunity(db);
    const { conversation, moderator, owner, author, voter } = community;
    const accounts = [owner, author, voter];
    for (let i = 0; i < 4; i += 1) accounts.push(await createAccount(db, `R${i}`));
    const opinions = [community.opinion];
    const authors = new Map([[community.opinion, author]]);
    const done: Record<string, number> = {};
    /** A refusal is an outcome like another: it must leave the counts alone. */
    const attempt = async (name: string, work: Promise<unknown>) => {
      const outcome = await work.then(
        () => name,
        (error: { code?: string }) => {
          if (!/^(AC|DL)/.test(error.code ?? '')) throw error;
          return error.code as string;
        },
      );
      done[outcome] = (done[outcome] ?? 0) + 1;
    };

    for (let i = 0; i < 150; i += 1) {
      const account = pick(accounts);
      const opinion = pick(opinions);
      const operation = next(20);
      if (operation < 9) {
        const choice = pick<Choice>(['agree', 'disagree', 'pass']);
        await attempt(
          'cast',
          db.asAccount(account, (client) => castVote(client, opinion, choice), commit),
        );
      } else if (operation < 12) {
        await attempt(
          'cancel',
          db.asAccount(account, (client) => cancelVote(client, opinion), commit),
        );
      } else if (operation < 14) {
        await attempt(
          'write',
          db
            .asAccount(account, (client) => createOpinion(client, conversation, `o${i}`), commit)
            .then((id) => {
              opinions.push(id);
              authors.set(id, account);
            }),
        );
      } else if (operation < 17) {
        const decision = pick(['move', 'hide', 'withdraw', 'withdraw'] as const);
        await attempt(
          'moderate',
          db.asModerator(moderator, (client) => moderate(client, opinion, decision), commit),
        );
      } else if (operation < 18) {
        await attempt(
          'delete',
          db.asAccount(
            pick([account, authors.get(opinion) as string]),
            (client) => client.query('select app_public.delete_opinion($1)', [opinion]),
            commit,
          ),
        );
      } else if (operation < 19) {
        await drain(db);
      } else if (i % 3 === 0) {
        await attempt(
          'leave',
          db.asAccount(
            account,
            (client) => client.query('select app_public.delete_account()'),
            commit,
          ),
        );
        accounts.push(await createAccount(db, `N${i}`));
      }
      if (i % 5 === 0) await expectExactCounts(db);
    }

    // The history is worth its name: each kind of operation happened, and refusals did.
    for (const outcome of ['cast', 'cancel', 'write', 'moderate', 'delete', 'leave', 'DL003']) {
      expect(done[outcome] ?? 0, `${outcome} in ${JSON.stringify(done)}`).toBeGreaterThan(0);
    }
    await expectExactCounts(db);
    await drain(db);
    await expectExactCounts(db, { drained: true });
  });
});

describe('the check of the counts itself', () => {
  it('sees a count that is wrong by one', async () => {
    await createCommunity(db);
    await drain(db);
    await db.pool.query(
      `update app_public.conversation set vote_count = vote_count + 1
      where id = (select max(id) from app_public.conversation)`,
    );
    await expect(expectExactCounts(db, { drained: true })).rejects.toThrow(/conversation/);
    await expect(expectExactCounts(db)).rejects.toThrow(/conversation/);
  });
});
