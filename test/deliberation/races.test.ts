import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  backendPid,
  createTestDatabase,
  expectSqlState,
  type TestDatabase,
  waitUntilBlocked,
} from '../lib/database.ts';
import {
  type Community,
  castVote,
  countsOf,
  createCommunity,
  createOpinion,
  expectExactCounts,
  moderate,
  one,
} from './community.ts';

/*
 * Two callers at once, step by step. A step that has to wait is seen waiting in pg_locks; a step
 * that must not wait would fail by its lock_timeout.
 */

let db: TestDatabase;
let community: Community;
const open: pg.Client[] = [];

beforeAll(async () => {
  db = await createTestDatabase();
});

afterAll(async () => {
  await db?.drop();
});

beforeEach(async () => {
  community = await createCommunity(db);
  for (const client of open.splice(0)) await client.end();
});

/** An open transaction in the name of an account. */
async function begin(role: 'app_account' | 'app_moderator', account: string): Promise<pg.Client> {
  const client = await db.connect();
  open.push(client);
  await client.query('begin');
  await client.query("set local lock_timeout = '5s'");
  await client.query(`set local role ${role}`);
  await client.query("select set_config('app.account_id', $1, true)", [account]);
  return client;
}

/** Starts a call that has to wait; resolves when it is seen waiting. */
async function waiting<T>(client: pg.Client, work: Promise<T>): Promise<{ result: Promise<T> }> {
  const result = work.then(
    (value) => value,
    (error: unknown) => {
      throw error;
    },
  );
  // A rejection before anybody looks is looked at later.
  result.catch(() => undefined);
  await waitUntilBlocked(db.pool, await pidOf(client));
  return { result };
}

const pids = new WeakMap<pg.Client, number>();
async function pidOf(client: pg.Client): Promise<number> {
  const pid = pids.get(client);
  if (pid === undefined) throw new Error('ask for the pid before the call that waits');
  return pid;
}

async function beginWaiter(
  role: 'app_account' | 'app_moderator',
  account: string,
): Promise<pg.Client> {
  const client = await begin(role, account);
  pids.set(client, await backendPid(client));
  return client;
}

describe('a vote', () => {
  it('locks its opinion by key share, its conversation not at all', async () => {
    const { voter, opinion, conversation } = community;
    const vote = await begin('app_account', voter);
    await castVote(vote, opinion, 'agree');
    const observe = (text: string, id: string) =>
      db.asOwner((client) => client.query(`${text} nowait`, [id]));
    const opinionRow = 'select from app_public.opinion where id = $1';
    const conversationRow = 'select from app_public.conversation where id = $1';
    await observe(`${opinionRow} for no key update`, opinion);
    await expectSqlState(observe(`${opinionRow} for update`, opinion), '55P03');
    await observe(`${conversationRow} for update`, conversation);
    await vote.query('commit');
  });

  it('waits for no other voter on the same opinion', async () => {
    const { voter, owner, opinion } = community;
    const first = await begin('app_account', voter);
    const second = await begin('app_account', owner);
    await castVote(first, opinion, 'agree');
    await castVote(second, opinion, 'agree');
    await second.query('commit');
    await first.query('commit');
    await expectExactCounts(db);
  });

  it('of the same voter from two windows ends as the later one', async () => {
    const { voter, opinion } = community;
    const first = await begin('app_account', voter);
    const second = await beginWaiter('app_account', voter);
    await castVote(first, opinion, 'agree');
    const { result } = await waiting(second, castVote(second, opinion, 'disagree'));
    await first.query('commit');
    expect(await result).toMatchObject({ choice: 'disagree', cancelled_at: null });
    await second.query('commit');
    await expectExactCounts(db);
  });
});

describe('a vote beside a moderation', () => {
  it.each(['vote', 'moderation'] as const)(
    'waits for nothing and is counted right; first commits the %s',
    async (first) => {
      const { voter, moderator, opinion, conversation } = community;
      const vote = await begin('app_account', voter);
      const moderation = await begin('app_moderator', moderator);
      await moderate(moderation, opinion, 'move');
      await castVote(vote, opinion, 'agree');
      const [one_, other] = first === 'vote' ? [vote, moderation] : [moderation, vote];
      await one_.query('commit');
      await expectExactCounts(db);
      await other.query('commit');
      await expectExactCounts(db);
      expect(await countsOf(db, conversation)).toEqual([0, 0, 0, 1, 2, 2, 1, 0]);
      await db.asModerator(moderator, (client) => moderate(client, opinion, 'withdraw'), {
        commit: true,
      });
      expect(await countsOf(db, conversation)).toEqual([1, 2, 2, 1, 2, 2, 0, 0]);
    },
  );

  it('that has committed is refused', async () => {
    const { voter, moderator, opinion } = community;
    const vote = await begin('app_account', voter);
    await vote.query('select app_public.current_account()');
    const moderation = await begin('app_moderator', moderator);
    await moderate(moderation, opinion, 'hide');
    await moderation.query('commit');
    await expectSqlState(castVote(vote, opinion, 'agree'), 'DL003');
    await vote.query('rollback');
  });
});

describe('votes and opinions beside a lock', () => {
  it('wait for nothing, and count as cast before it', async () => {
    const { voter, author, moderator, opinion, conversation } = community;
    const lock = await begin('app_moderator', moderator);
    await lock.query('select app_public.lock_conversation($1)', [conversation]);
    const vote = await begin('app_account', voter);
    await castVote(vote, opinion, 'pass');
    const writer = await begin('app_account', author);
    await createOpinion(writer, conversation, 'Just in time');
    await lock.query('commit');
    await vote.query('commit');
    await writer.query('commit');
    expect(await countsOf(db, conversation)).toEqual([2, 3, 2, 2, 3, 2, 0, 0]);
    await expectSqlState(
      db.asAccount(voter, (client) => castVote(client, opinion, 'agree')),
      'DL004',
    );
    await expectExactCounts(db);
  });
});

describe('two moderators at once', () => {
  it('take turns, and the same decision is written once', async () => {
    const { moderator, opinion } = community;
    const other = (await createCommunity(db)).moderator;
    const first = await begin('app_moderator', moderator);
    const second = await beginWaiter('app_moderator', other);
    await moderate(first, opinion, 'move', 'first');
    const { result } = await waiting(second, moderate(second, opinion, 'move', 'second'));
    await first.query('commit');
    expect(await result).toMatchObject({ moderation: 'moved' });
    await second.query('commit');
    const { rows } = await db.pool.query(
      'select reason from app_public.opinion_moderation where opinion_id = $1',
      [opinion],
    );
    expect(rows).toEqual([{ reason: 'first' }]);
  });

  it('with different decisions end as the later one, each withdrawing the former', async () => {
    const { moderator, opinion } = community;
    const other = (await createCommunity(db)).moderator;
    const first = await begin('app_moderator', moderator);
    const second = await beginWaiter('app_moderator', other);
    await moderate(first, opinion, 'move');
    const { result } = await waiting(second, moderate(second, opinion, 'hide'));
    await first.query('commit');
    expect(await result).toMatchObject({ moderation: 'hidden' });
    await second.query('commit');
    const { rows } = await db.pool.query(
      `select action, withdrawn_by_id from app_public.opinion_moderation
      where opinion_id = $1 order by id`,
      [opinion],
    );
    expect(rows).toEqual([
      { action: 'moved', withdrawn_by_id: other },
      { action: 'hidden', withdrawn_by_id: null },
    ]);
    await expectExactCounts(db);
  });

  it('lock a conversation once', async () => {
    const { moderator, conversation } = community;
    const other = (await createCommunity(db)).moderator;
    const call = { text: 'select app_public.lock_conversation($1)', values: [conversation] };
    const first = await begin('app_moderator', moderator);
    const second = await beginWaiter('app_moderator', other);
    await first.query(call);
    const { result } = await waiting(second, second.query(call));
    await first.query('commit');
    await result;
    await second.query('commit');
    expect(
      await one(
        db.pool,
        'select count(*)::int from app_public.conversation_moderation where conversation_id = $1',
        [conversation],
      ),
    ).toEqual({ count: 1 });
  });
});

describe('deleting an account beside its own calls', () => {
  const remove = 'select * from app_public.delete_account()';

  it('waits for a vote in flight, and cancels it', async () => {
    const { voter, opinion, conversation } = community;
    const vote = await begin('app_account', voter);
    await castVote(vote, opinion, 'agree');
    const leave = await beginWaiter('app_account', voter);
    const { result } = await waiting(leave, leave.query(remove));
    await vote.query('commit');
    await result;
    await leave.query('commit');
    expect(
      await one(
        db.pool,
        `select cancelled_at is not null as cancelled from app_public.opinion_vote
        where opinion_id = $1 and voter_id = $2`,
        [opinion, voter],
      ),
    ).toEqual({ cancelled: true });
    expect(await countsOf(db, conversation)).toEqual([1, 1, 1, 1, 1, 1, 0, 0]);
  });

  it('waits for an opinion in flight, and deletes it', async () => {
    const { voter, conversation } = community;
    const writer = await begin('app_account', voter);
    const opinion = await createOpinion(writer, conversation, 'Last words');
    const leave = await beginWaiter('app_account', voter);
    const { result } = await waiting(leave, leave.query(remove));
    await writer.query('commit');
    await result;
    await leave.query('commit');
    expect(
      await one(
        db.pool,
        'select deleted_at is not null as deleted from app_public.opinion where id = $1',
        [opinion],
      ),
    ).toEqual({ deleted: true });
    await expectExactCounts(db);
  });

  it('refuses a vote that comes meanwhile, which has waited', async () => {
    const { voter, opinion } = community;
    const leave = await begin('app_account', voter);
    await leave.query(remove);
    const vote = await beginWaiter('app_account', voter);
    const { result } = await waiting(vote, castVote(vote, opinion, 'agree'));
    await leave.query('commit');
    await expectSqlState(result, 'AC002');
    await vote.query('rollback');
    const { rows } = await db.pool.query(
      'select from app_public.opinion_vote where voter_id = $1',
      [voter],
    );
    expect(rows).toEqual([]);
  });

  it('lets the vote through when it is rolled back', async () => {
    const { voter, opinion } = community;
    const leave = await begin('app_account', voter);
    await leave.query(remove);
    const vote = await beginWaiter('app_account', voter);
    const { result } = await waiting(vote, castVote(vote, opinion, 'agree'));
    await leave.query('rollback');
    expect(await result).toMatchObject({ choice: 'agree' });
    await vote.query('commit');
  });

  it('twice at once is no deadlock: the second changes nothing', async () => {
    const { author } = community;
    const first = await begin('app_account', author);
    await first.query(remove);
    const second = await beginWaiter('app_account', author);
    const { result } = await waiting(second, second.query(remove));
    await first.query('commit');
    const { rows } = await result;
    await second.query('commit');
    const stored = await one(db.pool, 'select deleted_at from app_public.account where id = $1', [
      author,
    ]);
    expect(rows).toMatchObject([{ id: author, deleted_at: stored.deleted_at }]);
    await expectExactCounts(db);
  });

  it('leaves other people’s votes on its opinions alone, and they count nothing', async () => {
    const { author, voter, opinion, conversation } = community;
    const vote = await begin('app_account', voter);
    await castVote(vote, opinion, 'agree');
    const leave = await begin('app_account', author);
    await leave.query(remove);
    await leave.query('commit');
    await vote.query('commit');
    expect(await countsOf(db, conversation)).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
    await expectExactCounts(db);
  });
});
