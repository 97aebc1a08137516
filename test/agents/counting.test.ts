import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../../scripts/lib/demo-random.ts';
import { createAccount } from '../deliberation/community.ts';
import { callOf, commit } from '../discovery/world.ts';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';

/*
 * What is counted of agents, and what is unread, against recounts written from nothing but the rows,
 * after random calls of several accounts at once, with drains and recomputes in between.
 */

let db: TestDatabase;

beforeAll(async () => {
  db = await createTestDatabase();
});

afterAll(async () => {
  await db?.drop();
});

const COUNTERS: Record<string, Record<string, string>> = {
  agent: {
    follower_count: `select count(*) from app_public.agent_follow f
      where f.agent_id = t.id and f.unfollowed_at is null`,
    update_count: `select count(*) from app_public.agent_update u
      where u.agent_id = t.id and u.deleted_at is null`,
    post_count: `select count(*) from app_public.post p
      where p.agent_id = t.id and p.deleted_at is null`,
    like_count: `select count(*) from app_public.post p
      join app_public.post_like l on l.post_id = p.id
      where p.agent_id = t.id and p.deleted_at is null and l.withdrawn_at is null`,
  },
  post: {
    like_count: `select count(*) from app_public.post_like l
      where l.post_id = t.id and l.withdrawn_at is null`,
  },
  account: {
    agent_count: `select count(*) from app_public.agent a
      where a.owner_id = t.id and a.deleted_at is null`,
  },
};

/** The feed by the rule, from the tables alone. */
const FEED = `
  select f.account_id, u.id as update_id, exists (
    select from app_public.update_read r where r.account_id = f.account_id and r.update_id = u.id
  ) as is_read
  from app_public.agent_follow f
  join app_public.agent_update u using (agent_id)
  where f.unfollowed_at is null and u.deleted_at is null and u.published_at >= f.followed_at
    and (select a.deleted_at is null from app_public.agent a where a.id = f.agent_id)`;

async function expectCounts(stored: boolean): Promise<void> {
  for (const [table, counters] of Object.entries(COUNTERS)) {
    for (const [name, recount] of Object.entries(counters)) {
      const found = stored ? `t.${name}` : `app_public.${table}_${name}(t)`;
      const { rows } = await db.pool.query(
        `select t.id, ${found} as found, (${recount}) as expected
        from app_public.${table} t where ${found} <> (${recount})`,
      );
      expect(rows, `${table}.${name}`).toEqual([]);
    }
  }
}

async function expectFeeds(accounts: string[]): Promise<void> {
  for (const account of accounts) {
    const { rows: expected } = await db.pool.query(
      `select update_id, is_read from (${FEED}) x where account_id = $1 order by 1`,
      [account],
    );
    const { rows } = await db.asAccount(account, (client) =>
      client.query(
        `select (select jsonb_agg(jsonb_build_array(update_id, is_read) order by update_id)
            from app_public.agent_feed()) as feed,
          (select jsonb_agg(jsonb_build_array(update_id, is_read) order by update_id)
            from app_public.agent_feed_item_live) as live,
          app_hidden.unread_update_count()::int as unread`,
      ),
    );
    const feed =
      expected.length === 0
        ? null
        : expected.map(({ update_id, is_read }) => [Number(update_id), is_read]);
    expect(rows[0]).toEqual({
      feed,
      live: feed,
      unread: expected.filter(({ is_read }) => !is_read).length,
    });
  }
}

describe.each([1, 2, 3])('a random history, seed %i', (seed) => {
  it('counts what there is, exact at every moment', async () => {
    const random = createRandom(seed);
    const accounts = await Promise.all(
      Array.from({ length: 5 }, (_, n) => createAccount(db, `Account ${n}`)),
    );
    const handle = () => `h${seed}_${random.below(1_000_000_000)}`;
    const some = async (table: string): Promise<string> => {
      const { rows } = await db.pool.query(
        `select id from app_public.${table} order by id desc limit 12`,
      );
      return rows.length === 0 ? '0' : random.pick(rows).id;
    };
    const operations: [number, () => Promise<[string, Record<string, unknown>]>][] = [
      [2, async () => ['create_agent', { handle: handle(), display_name: 'A' }]],
      [6, async () => ['publish_update', { agent_id: await some('agent'), headline: 'H' }]],
      [4, async () => ['create_post', { agent_id: await some('agent'), content: 'P' }]],
      [9, async () => ['follow_agent', { agent_id: await some('agent') }]],
      [3, async () => ['unfollow_agent', { agent_id: await some('agent') }]],
      [6, async () => ['mark_update_read', { update_id: await some('agent_update') }]],
      [1, async () => ['mark_updates_read', {}]],
      [1, async () => ['mark_updates_read', { agent_id: await some('agent') }]],
      [6, async () => ['like_post', { post_id: await some('post') }]],
      [3, async () => ['unlike_post', { post_id: await some('post') }]],
      [2, async () => ['delete_update', { update_id: await some('agent_update') }]],
      [2, async () => ['delete_post', { post_id: await some('post') }]],
      [1, async () => ['delete_agent', { agent_id: await some('agent') }]],
    ];
    const weighted = operations.flatMap(([weight, make]) =>
      Array(weight).fill(make),
    ) as (() => Promise<[string, Record<string, unknown>]>)[];
    const outcomes = new Map<string, number>();
    const act = async (account: string) => {
      const [name, args] = await random.pick(weighted)();
      const { text, values } = callOf(name, args);
      const outcome = await db
        .asAccount(account, (client) => client.query(text, values), commit)
        .then(
          () => `${name}`,
          (error: { code?: string; message: string }) => {
            // Refusals are part of the history; anything else is a fault.
            expect(error.code, error.message).toMatch(/^(AG0(01|02|08|09|10))$/);
            return 'refused';
          },
        );
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    };
    for (let round = 0; round < 8; round += 1) {
      await Promise.all([
        ...accounts.map(async (account) => {
          for (let step = 0; step < 12; step += 1) await act(account);
        }),
        ...(random.chance(0.7) ? [db.pool.query('select millrace.drain()')] : []),
        ...(random.chance(0.5)
          ? [db.pool.query("select millrace.run_now('app_public.agent_feed_item')")]
          : []),
      ]);
      await expectCounts(false);
      await expectFeeds(accounts);
    }
    await db.pool.query('select millrace.drain()');
    await expectCounts(true);
    await db.pool.query("select millrace.run_now('app_public.agent_feed_item')");
    const { rows } = await db.pool.query(`
      (select account_id, update_id, is_read from app_public.agent_feed_item except all ${FEED})
      union all (${FEED} except all
        select account_id, update_id, is_read from app_public.agent_feed_item)`);
    expect(rows).toEqual([]);
    // It was no history of refusals.
    expect(outcomes.size).toBeGreaterThanOrEqual(9);
    expect(outcomes.get('refused') ?? 0).toBeLessThan(350);
  });
});

describe('two at once', () => {
  it('who want the same handle: one gets it, in whatever case', async () => {
    const accounts = await Promise.all([1, 2, 3, 4].map((n) => createAccount(db, `Wants ${n}`)));
    const outcomes = await Promise.all(
      accounts.map((account, n) => {
        const handle = ['Wanted', 'WANTED', 'wanted', 'wAnTeD'][n];
        const { text, values } = callOf('create_agent', { handle, display_name: 'A' });
        return db
          .asAccount(account, (client) => client.query(text, values), commit)
          .then(
            () => 'made',
            (error: { code: string }) => error.code,
          );
      }),
    );
    expect(outcomes.sort()).toEqual(['AG004', 'AG004', 'AG004', 'made']);
  });

  it('of one account do not get past its 500 agents', async () => {
    const account = await createAccount(db, 'Many');
    await db.pool.query(
      `insert into app_public.agent (owner_id, handle, display_name)
      select $1, 'crowd_' || n, 'A' from generate_series(1, 498) n`,
      [account],
    );
    const outcomes = await Promise.all(
      Array.from({ length: 6 }, (_, n) => {
        const { text, values } = callOf('create_agent', {
          handle: `late_${n}`,
          display_name: 'A',
        });
        return db
          .asAccount(account, (client) => client.query(text, values), commit)
          .then(
            () => 'made',
            (error: { code: string }) => error.code,
          );
      }),
    );
    expect(outcomes.sort()).toEqual([...Array(4).fill('AG007'), 'made', 'made']);
  });

  it('with the same request make one', async () => {
    const account = await createAccount(db, 'Twice');
    const request_id = '00000000-0000-4000-8000-000000000001';
    const { text, values } = callOf('create_agent', {
      handle: 'twice_at_once',
      display_name: 'A',
      request_id,
    });
    const made = await Promise.all(
      Array.from({ length: 4 }, () =>
        db.asAccount(account, (client) => client.query(text, values), commit),
      ),
    );
    expect(new Set(made.map(({ rows }) => rows[0].id)).size).toBe(1);
  });
});
