import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';
import { explain, nodesOf, type PlanNode } from '../lib/plan.ts';

/*
 * The shape of what the agents module reads, in statements as PostGraphile sends them, at about the
 * size of the demo data's scale 10: with nothing pending, with updates that no drain has taken, and
 * with keys that wait for the recompute.
 */

/** One more than a page: how PostGraphile learns whether there is another. */
const PAGE = 21;
const ACCOUNTS = 3_000;
/** Follows 1,500 agents, and has about 6,000 updates in the feed; the others about 15 agents. */
const BUSY = '1';
const ORDINARY = '77';
/** Followed by everybody. */
const HOT = '7';
const TABLES = ['agent', 'agent_feed_item', 'agent_follow', 'agent_update', 'post', 'update_read'];

let db: TestDatabase;

beforeAll(async () => {
  db = await createTestDatabase();
  await db.pool.query(`
    insert into app_public.account (display_name)
      select 'Account ' || n from generate_series(1, ${ACCOUNTS}) n;
    insert into app_public.agent (owner_id, handle, display_name, created_at)
      select 100 + n % (${ACCOUNTS} - 100), 'agent_' || n, 'Agent ' || n,
        '2026-01-01'::timestamptz + n * interval '1 minute'
      from generate_series(1, 3000) n;
    insert into app_public.agent_follow (agent_id, account_id, followed_at)
      select 1 + n * 7919 % 3000, case when n <= 1500 then ${BUSY} else 1 + n * 104729 % ${ACCOUNTS} end,
        '2026-01-02'::timestamptz + n * interval '1 second'
      from generate_series(1, 40000::bigint) n
      on conflict do nothing;
    insert into app_public.agent_follow (agent_id, account_id, followed_at)
      select ${HOT}, id, '2026-01-02' from app_public.account on conflict do nothing;
    insert into app_public.agent_update (agent_id, headline, summary, published_at)
      select 1 + n * 31 % 3000, 'Headline ' || n, repeat('summary ', 20),
        '2026-01-03'::timestamptz + n * interval '1 minute'
      from generate_series(1, 12000::bigint) n;
    insert into app_public.update_read (account_id, update_id)
      select f.account_id, u.id
      from app_public.agent_update u join app_public.agent_follow f using (agent_id)
      where (u.id + f.account_id) % 10 < 9;
    insert into app_public.post (agent_id, content, created_at)
      select 1 + n * 31 % 3000, 'Post ' || n, '2026-01-03'::timestamptz + n * interval '1 minute'
      from generate_series(1, 12000::bigint) n;
    insert into app_public.post_like (post_id, account_id, created_at)
      select 1 + n * 7919 % 12000, 1 + n * 31 % ${ACCOUNTS},
        '2026-01-04'::timestamptz + n * interval '1 second'
      from generate_series(1, 30000::bigint) n on conflict do nothing;
    insert into app_public.block (blocker_id, blocked_id)
      select 1 + n % ${ACCOUNTS}, 1 + (n * 7919 + 1) % ${ACCOUNTS}
      from generate_series(1, 6000::bigint) n on conflict do nothing;
  `);
  await settle();
  await db.pool.query('vacuum analyze');
}, 120_000);

afterAll(async () => {
  await db?.drop();
});

async function settle(): Promise<void> {
  let more = true;
  while (more) {
    const { rows } = await db.pool.query<{ drain: { more: boolean } }>('select millrace.drain()');
    more = rows[0]?.drain.more ?? false;
  }
  await db.pool.query("select millrace.run_now('app_public.agent_feed_item')");
}

async function planOf(
  account: string | null,
  text: string,
  values: unknown[] = [],
): Promise<PlanNode[]> {
  const read = async (client: pg.PoolClient) => {
    // As the login of the API plans (db/roles.sql).
    await client.query('set local random_page_cost = 1.1; set local jit = off');
    return nodesOf(await explain(client, text, values));
  };
  return account === null ? db.asAnonymous(read) : db.asAccount(account, read);
}

/** No table read as a whole, no sort, hash or scan of much more than what is asked for. */
function expectShape(nodes: PlanNode[], most = PAGE): void {
  const ran = nodes.filter((node) => node['Actual Loops'] > 0);
  const scanned = ran
    .filter((node) => node['Node Type'] === 'Seq Scan')
    .map((node) => node['Relation Name'] as string);
  expect(scanned.filter((name) => TABLES.includes(name))).toEqual([]);
  for (const node of ran.filter((it) => /Sort|Hash|Bitmap|Unique/.test(it['Node Type']))) {
    const read = Math.max(node['Actual Rows'], node.Plans?.[0]?.['Actual Rows'] ?? 0);
    expect(read, `rows of a ${node['Node Type']}`).toBeLessThanOrEqual(most);
  }
  for (const node of ran.filter((it) => TABLES.includes(it['Relation Name'] ?? ''))) {
    expect(node['Actual Rows'] * node['Actual Loops'], JSON.stringify(node)).toBeLessThanOrEqual(
      most * 4,
    );
  }
}

const used = (nodes: PlanNode[], table: string) =>
  nodes
    .filter((it) => it['Relation Name'] === table && it['Actual Loops'] > 0)
    .map((it) => it['Index Name']);

const feed = (later: boolean) => `
  select t.update_id, t.published_at, t.is_read, u.headline, u.summary, a.display_name
  from app_public.agent_feed() t
  left join lateral (
    select * from app_public.agent_update u where u.id = t.update_id
  ) u on true
  left join lateral (select * from app_public.agent a where a.id = t.agent_id) a on true
  ${later ? 'where (t.published_at, t.update_id) < ($1::timestamptz, $2::bigint)' : ''}
  order by t.published_at desc, t.update_id desc limit ${PAGE}`;

describe.each(['nothing pending', 'updates pending', 'keys waiting'])('the feed, %s', (state) => {
  beforeAll(async () => {
    await settle();
    if (state === 'nothing pending') return;
    // Of ten agents that the busy account follows, one of them everybody, and of others.
    await db.pool.query(`
      insert into app_public.agent_update (agent_id, headline)
      select agent_id, 'New' from (
        (select agent_id from app_public.agent_follow where account_id = ${BUSY} limit 9)
        union select ${HOT}
        union (select id from app_public.agent a where not exists (
            select from app_public.agent_follow f
            where f.agent_id = a.id and f.account_id in (${BUSY}, ${ORDINARY}))
          limit 200)
      ) a`);
    if (state === 'keys waiting') await db.pool.query('select millrace.drain()');
  });

  it.each([
    [BUSY, 'first'],
    [BUSY, 'later'],
    [ORDINARY, 'first'],
    [ORDINARY, 'later'],
  ])('account %s, %s page: a range of the index by time', async (account, page) => {
    const later = page === 'later';
    const nodes = await planOf(account, feed(later), later ? ['2026-01-08', '5000'] : []);
    // What is pending for anybody is looked through once.
    const pending = state === 'updates pending' ? 220 : PAGE;
    expectShape(nodes, pending);
    const scans = nodes.filter((it) => it['Relation Name'] === 'agent_feed_item');
    expect(scans).toMatchObject([
      {
        'Node Type': 'Index Scan',
        'Index Name': 'agent_feed_item_published_at_idx',
        'Scan Direction': 'Backward',
      },
    ]);
    expect(scans[0]?.['Actual Rows']).toBeLessThanOrEqual(PAGE);
    expect(scans[0]?.['Index Cond']).toContain('account_id = ');
    expect(scans[0]?.['Index Cond']?.includes('ROW(published_at, update_id)')).toBe(later);
  });

  it('what is unread is the part of an index that holds it', async () => {
    const { rows } = await db.pool.query<{ body: string }>(
      "select pg_get_functiondef('app_hidden.unread_update_count'::regproc) as body",
    );
    const counted = `
      select count(*) from app_public.agent_feed_item_live f
      where f.account_id = (select app_hidden.current_account_id()) and not f.is_read`;
    const words = (text: string) => text.toLowerCase().match(/[a-z_]+/g) ?? [];
    expect(words(rows[0]?.body ?? '')).toEqual(expect.arrayContaining(words(counted)));
    for (const account of [BUSY, ORDINARY]) {
      const nodes = await planOf(account, counted);
      expect(used(nodes, 'agent_feed_item')).toEqual(['agent_feed_item_unread_idx']);
      expect(
        nodes
          .filter((it) => it['Node Type'] === 'Seq Scan' && it['Actual Loops'] > 0)
          .map((it) => it['Relation Name'] ?? '')
          .filter((name) => TABLES.includes(name)),
      ).toEqual([]);
    }
  });
});

describe('a page of', () => {
  it.each([
    [
      'all agents, newest',
      'newest_agents() t',
      'created_at',
      'id',
      'agent',
      'agent_created_at_idx',
    ],
    [
      'all agents, most followed',
      'popular_agents() t',
      'follower_count',
      'id',
      'agent',
      'agent_follower_count_idx',
    ],
    ['one’s own agents', 'my_agents() t', 'created_at', 'id', 'agent', 'agent_owner_id_idx'],
    [
      'what one follows',
      'followed_agents() t',
      'followed_at',
      'agent_id',
      'agent_follow',
      'agent_follow_account_id_idx',
    ],
    [
      'what one likes',
      'liked_posts() t',
      'created_at',
      'post_id',
      'post_like',
      'post_like_account_id_idx',
    ],
    [
      'updates of an agent',
      'agent a, app_public.agent_updates(a) t where a.id = 7',
      'published_at',
      'id',
      'agent_update',
      'agent_update_agent_id_published_at_idx',
    ],
    [
      'posts of an agent',
      'agent a, app_public.agent_posts(a) t where a.id = 7',
      'created_at',
      'id',
      'post',
      'post_agent_id_created_at_idx',
    ],
  ])('%s is a range of its index', async (_, source, order, key, table, index) => {
    for (const viewer of [BUSY, ORDINARY, null]) {
      const nodes = await planOf(
        viewer,
        `select t.* from app_public.${source} order by t.${order} desc, t.${key} desc limit ${PAGE}`,
      );
      // An incremental sort looks at one row more.
      expectShape(nodes, PAGE + 1);
      // Nothing is read for a visitor of what only accounts have.
      const found = used(nodes, table).filter((name) => name !== 'agent_pkey');
      expect(
        found.every((name) => name === index),
        String(found),
      ).toBe(true);
      if (viewer === BUSY && source !== 'my_agents() t') expect(found).toContain(index);
    }
  });
});

it('an agent by its handle is a look-up', async () => {
  // As in agent_by_handle, into which explain does not look.
  const nodes = await planOf(
    ORDINARY,
    "select a from app_public.agent a where a.handle_key = lower(btrim('AGENT_77'))",
  );
  expect(used(nodes, 'agent')).toEqual(['agent_handle_key']);
  const { rows } = await db.pool.query<{ body: string }>(
    "select pg_get_functiondef('app_public.agent_by_handle'::regproc) as body",
  );
  expect(rows[0]?.body).toMatch(/handle_key = lower\(btrim\(/);
});
