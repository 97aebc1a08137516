import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { one } from '../deliberation/community.ts';
import {
  backendPid,
  createTestDatabase,
  expectSqlState,
  type TestDatabase,
  waitUntilBlocked,
} from '../lib/database.ts';
import { caller, callOf, createWorld, expectExactCounts, type World } from './world.ts';

/*
 * Two callers at once, step by step. A step that has to wait is seen waiting in pg_locks; a step
 * that must not wait would fail by its lock_timeout.
 */

let db: TestDatabase;
let world: World;
let call: ReturnType<typeof caller>;
const open: pg.Client[] = [];

beforeAll(async () => {
  db = await createTestDatabase();
  call = caller(db);
});

afterAll(async () => {
  await db?.drop();
});

beforeEach(async () => {
  for (const client of open.splice(0)) await client.end();
  world = await createWorld(db);
});

interface Session {
  client: pg.Client;
  pid: number;
  /** Calls a function of the API, which must not wait. */
  call(name: string, args: Record<string, unknown>): Promise<Record<string, unknown>>;
  /** Calls one that has to wait; resolves when it is seen waiting, to what it returns in the end. */
  wait(
    name: string,
    args: Record<string, unknown>,
  ): Promise<{ result: Promise<Record<string, unknown>> }>;
  commit(): Promise<unknown>;
}

/** An open transaction in the name of an account. */
async function begin(account: string): Promise<Session> {
  const client = await db.connect();
  open.push(client);
  const pid = await backendPid(client);
  await client.query('begin');
  await client.query("set local lock_timeout = '5s'");
  await client.query('set local role app_account');
  await client.query("select set_config('app.account_id', $1, true)", [account]);
  const run = (name: string, args: Record<string, unknown>) => {
    const { text, values } = callOf(name, args);
    return one(client, text, values);
  };
  return {
    client,
    pid,
    call: run,
    async wait(name, args) {
      const result = run(name, args);
      // A rejection before anybody looks is looked at later.
      result.catch(() => undefined);
      await waitUntilBlocked(db.pool, pid);
      return { result };
    },
    commit: () => client.query('commit'),
  };
}

const upvotes = async () =>
  (
    await one(
      db.pool,
      'select app_public.project_upvote_count(p)::int as n from app_public.project p where id = $1',
      [world.project],
    )
  ).n;

describe('upvotes', () => {
  it('of two people wait for nothing, not even for their project’s counter', async () => {
    const first = await begin(world.other);
    const second = await begin(world.keeper);
    await first.call('toggle_upvote', { project_id: world.project });
    await second.call('toggle_upvote', { project_id: world.project });
    await db.pool.query('select millrace.drain()');
    await second.commit();
    await first.commit();
    expect(await upvotes()).toBe(2);
    await expectExactCounts(db.pool);
  });

  it('of one person from two windows: each switches what the other left', async () => {
    const first = await begin(world.other);
    const second = await begin(world.other);
    await first.call('toggle_upvote', { project_id: world.project });
    const { result } = await second.wait('toggle_upvote', { project_id: world.project });
    await first.commit();
    await result;
    await second.commit();
    expect(await upvotes()).toBe(0);
    await expectExactCounts(db.pool);
  });

  it('of one person who sends the same wish twice count once', async () => {
    const wish = { project_id: world.project, upvoted: true };
    const first = await begin(world.other);
    const second = await begin(world.other);
    await first.call('toggle_upvote', wish);
    const { result } = await second.wait('toggle_upvote', wish);
    await first.commit();
    await result;
    await second.commit();
    expect(await upvotes()).toBe(1);
  });

  it('wait for no change of the project, and count as given before its deletion', async () => {
    const owner = await begin(world.founder);
    await owner.call('update_project', { project_id: world.project, title: 'Renamed' });
    const voter = await begin(world.other);
    await voter.call('toggle_upvote', { project_id: world.project });
    await owner.call('delete_project', { project_id: world.project });
    await owner.commit();
    await voter.commit();
    expect(await upvotes()).toBe(1);
    await expectExactCounts(db.pool);
  });
});

describe('the same request at the same moment', () => {
  it.each<[string, () => Record<string, unknown>]>([
    ['create_project', () => ({ title: 'Twice' })],
    ['create_project_comment', () => ({ project_id: world.project, content: 'Twice' })],
    ['create_chain', () => ({ slug: `twice-${world.chain}`, name: 'Twice' })],
    ['create_chain_post', () => ({ chain_id: world.chain, title: 'Twice', content: 'Twice' })],
    ['reply_to_chain_post', () => ({ post_id: world.post, content: 'Twice' })],
  ])('makes one: %s', async (name, args) => {
    const named = { ...args(), request_id: randomUUID() };
    const first = await begin(world.other);
    const second = await begin(world.other);
    const made = await first.call(name, named);
    const { result } = await second.wait(name, named);
    await first.commit();
    expect((await result).id).toBe(made.id);
    await second.commit();
  });

  it('makes the second one when the first fails after all', async () => {
    const named = { title: 'Twice', request_id: randomUUID() };
    const first = await begin(world.other);
    const second = await begin(world.other);
    const made = await first.call('create_project', named);
    const { result } = await second.wait('create_project', named);
    await first.client.query('rollback');
    const other = await result;
    await second.commit();
    expect(other.id).not.toBe(made.id);
    expect(
      await one(db.pool, 'select id from app_public.project where request_id = $1', [
        named.request_id,
      ]),
    ).toEqual({ id: other.id });
  });
});

describe('two who want the same', () => {
  it('slug: the later one is told', async () => {
    const args = { slug: `same-${world.chain}`, name: 'Same' };
    const first = await begin(world.other);
    const second = await begin(world.founder);
    await first.call('create_chain', args);
    const { result } = await second.wait('create_chain', args);
    await first.commit();
    await expectSqlState(result, 'DC016');
  });

  it('badge: the later validator gets the earlier one’s', async () => {
    await db.pool.query(
      "insert into app_private.account_role (account_id, role) values ($1, 'validator')",
      [world.keeper],
    );
    const args = { project_id: world.project, kind: 'demo' };
    const first = await begin(world.validator);
    const second = await begin(world.keeper);
    const badge = await first.call('award_badge', args);
    const { result } = await second.wait('award_badge', args);
    await first.commit();
    expect(await result).toEqual(badge);
    await second.commit();
    await expectExactCounts(db.pool);
  });

  it('intro: the founder asks, and the investor is told to answer', async () => {
    const args = { project_id: world.project, investor_id: world.investor, message: 'Hello' };
    const founder = await begin(world.founder);
    const investor = await begin(world.angel);
    await founder.call('request_intro', args);
    const { result } = await investor.wait('request_intro', args);
    await founder.commit();
    await expectSqlState(result, 'DC021');
  });
});

describe('an intro that is answered and withdrawn at once', () => {
  it.each([
    ['accept_intro', 'withdraw_intro', 'accepted'],
    ['withdraw_intro', 'accept_intro', 'withdrawn'],
  ] as const)('%s first: %s is refused', async (first, second, state) => {
    const { id } = await call(world.founder, 'request_intro', {
      project_id: world.project,
      investor_id: world.investor,
      message: 'Hello',
    });
    const whose = { accept_intro: world.angel, withdraw_intro: world.founder };
    const winner = await begin(whose[first]);
    const loser = await begin(whose[second]);
    await winner.call(first, { intro_request_id: id });
    const { result } = await loser.wait(second, { intro_request_id: id });
    await winner.commit();
    await expectSqlState(result, 'DC020');
    expect(
      await one(db.pool, 'select state from app_public.intro_request where id = $1', [id]),
    ).toEqual({ state });
    await expectExactCounts(db.pool);
  });
});

describe('an account that is deleted', () => {
  it('waits for its own upvote in flight and takes it along', async () => {
    const vote = await begin(world.other);
    await vote.call('toggle_upvote', { project_id: world.project });
    const removal = await begin(world.other);
    const { result } = await removal.wait('delete_account', {});
    await vote.commit();
    await result;
    await removal.commit();
    expect(await upvotes()).toBe(0);
    await expectExactCounts(db.pool);
  });

  it('writes nothing that comes during its deletion', async () => {
    const removal = await begin(world.other);
    await removal.call('delete_account', {});
    const comment = await begin(world.other);
    const { result } = await comment.wait('create_project_comment', {
      project_id: world.project,
      content: 'Last words',
    });
    await removal.commit();
    await expectSqlState(result, 'AC002');
    await expectExactCounts(db.pool);
  });
});
