import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';
import { explain, nodesOf, type PlanNode } from '../lib/plan.ts';

/*
 * The shape of what messaging reads, in the statements that PostGraphile sends, at about the size
 * of the demo data's scale 10: with nothing pending, with messages that no drain has taken, and
 * with keys that wait for the recompute.
 */

/** One more than a page: how PostGraphile learns whether there is another. */
const PAGE = 21;
const ACCOUNTS = 3_000;
/** In 1,500 conversations; the other accounts are in about 20. */
const BUSY = '1';
const ORDINARY = '77';
/** Has 10,000 messages. */
const HOT = '1';

let db: TestDatabase;

beforeAll(async () => {
  db = await createTestDatabase();
  await db.pool.query(`
    insert into app_public.account (display_name)
      select 'Account ' || n from generate_series(1, ${ACCOUNTS}) n;
    insert into app_public.direct_conversation
        (created_by_id, first_account_id, second_account_id, created_at)
      select distinct on (a, b) a, a, b, '2026-01-01'::timestamptz + n * interval '1 minute'
      from (
        select n, least(x, y) as a, greatest(x, y) as b
        from (
          select n, 1 + case when n <= 1500 then 0 else n * 7919 % ${ACCOUNTS} end as x,
            2 + n * 104729 % (${ACCOUNTS} - 1) as y
          from generate_series(1, 30000::bigint) n
        ) drawn
        where x <> y
      ) pair
      order by a, b, n;
    insert into app_public.direct_member (conversation_id, account_id)
      select id, unnest(array[first_account_id, second_account_id])
      from app_public.direct_conversation;
    insert into app_public.direct_message (conversation_id, sender_id, content, created_at)
      select c.id, c.first_account_id, 'Message ' || n, c.created_at + n * interval '1 hour'
      from app_public.direct_conversation c
      cross join lateral generate_series(1, case when c.id = ${HOT} then 10000 else 2 end) n;
    insert into app_hidden.direct_unread (account_id, conversation_id, message_id)
      select c.second_account_id, m.conversation_id, m.id
      from app_public.direct_message m
      join app_public.direct_conversation c on c.id = m.conversation_id
      where m.id % 7 = 0;
    insert into app_public.block (blocker_id, blocked_id)
      select 1 + n % ${ACCOUNTS}, 1 + (n * 7919 + 1) % ${ACCOUNTS} from generate_series(1, 20000::bigint) n
      on conflict do nothing;
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
  await db.pool.query("select millrace.run_now('app_public.direct_conversation_list')");
}

async function planOf(account: string, text: string, values: unknown[] = []): Promise<PlanNode[]> {
  return nodesOf(await db.asAccount(account, (client) => explain(client, text, values)));
}

const BASE = ['account', 'block', 'direct_conversation', 'direct_member', 'direct_message'];

/**
 * What is never done: reading a table as a whole, sorting or hashing more rows than a page. A step
 * that did not run (a part for another state of the relation) did nothing.
 */
function expectShape(nodes: PlanNode[], most = PAGE): void {
  const ran = nodes.filter((node) => node['Actual Loops'] > 0);
  const scanned = ran
    .filter((node) => node['Node Type'] === 'Seq Scan')
    .map((node) => node['Relation Name'] as string);
  const tables = [...BASE, 'direct_unread', 'direct_conversation_list'];
  expect(scanned.filter((name) => tables.includes(name))).toEqual([]);
  const heavy = ran.filter(
    (node) =>
      /Sort|Hash|Bitmap|Aggregate|Unique/.test(node['Node Type']) && node['Actual Rows'] > most,
  );
  expect(heavy.map((node) => [node['Node Type'], node['Actual Rows']])).toEqual([]);
  for (const node of ran.filter((it) => it['Node Type'] === 'Sort')) {
    const read = node.Plans?.[0]?.['Actual Rows'] ?? 0;
    expect(read, 'rows that a sort reads').toBeLessThanOrEqual(most);
  }
  // And nothing reads much more than it gives.
  for (const node of ran.filter((it) => tables.includes(it['Relation Name'] ?? ''))) {
    expect(node['Actual Rows'] * node['Actual Loops'], JSON.stringify(node)).toBeLessThanOrEqual(
      most * 4,
    );
  }
}

const list = (later: boolean) => `
  select t.conversation_id, t.active_at, t.title, t.unread_count, t.last_content, o.display_name
  from app_public.my_direct_conversations() t
  left join lateral (
    select a.display_name from app_public.account a where a.id = t.other_account_id
  ) o on true
  ${later ? 'where (t.active_at, t.conversation_id) < ($1::timestamptz, $2::bigint)' : ''}
  order by t.active_at desc, t.conversation_id desc limit ${PAGE}`;

describe.each(['nothing pending', 'messages pending', 'keys waiting'])('the list, %s', (state) => {
  beforeAll(async () => {
    await settle();
    if (state === 'nothing pending') return;
    // In twenty conversations of the busy account, and in some of others.
    await db.pool.query(`
      insert into app_public.direct_message (conversation_id, sender_id, content)
      select m.conversation_id, m.account_id, 'New' from (
        (select * from app_public.direct_member where account_id = ${BUSY} limit 20)
        union all
        (select m.* from app_public.direct_member m
          join app_public.direct_conversation c on c.id = m.conversation_id
          where c.first_account_id not in (${BUSY}, ${ORDINARY})
            and c.second_account_id <> ${ORDINARY}
          limit 200)
      ) m`);
    if (state === 'keys waiting') await db.pool.query('select millrace.drain()');
  });

  it.each([
    [BUSY, 'first'],
    [BUSY, 'later'],
    [ORDINARY, 'first'],
    [ORDINARY, 'later'],
  ])('account %s, %s page: a range of the index by activity', async (account, page) => {
    const later = page === 'later';
    const values = later ? ['2026-01-05', '500'] : [];
    const nodes = await planOf(account, list(later), values);
    expectShape(nodes);
    const scans = nodes.filter((it) => it['Relation Name'] === 'direct_conversation_list');
    expect(scans).toMatchObject([
      {
        'Node Type': 'Index Scan',
        'Index Name': 'direct_conversation_list_active_at_idx',
        'Scan Direction': 'Backward',
      },
    ]);
    expect(scans[0]?.['Index Cond']).toContain('account_id = ');
    expect(scans[0]?.['Index Cond']?.includes('ROW(active_at, conversation_id)')).toBe(later);
  });
});

describe('a conversation', () => {
  const messages = (later: boolean) => `
    select t.id, t.content, a.display_name
    from app_public.direct_conversation c
    cross join lateral app_public.direct_conversation_messages(c) t
    left join lateral (select * from app_public.account a where a.id = t.sender_id) a on true
    where c.id = $1 ${later ? 'and (t.conversation_id, t.id) < ($1::bigint, $2::bigint)' : ''}
    order by t.conversation_id desc, t.id desc limit ${PAGE}`;

  it.each(['first', 'later'])('%s page of messages: a range of the primary key', async (page) => {
    const later = page === 'later';
    const nodes = await planOf(BUSY, messages(later), later ? [HOT, '5000'] : [HOT]);
    expectShape(nodes);
    const scans = nodes.filter((it) => it['Relation Name'] === 'direct_message');
    expect(scans).toMatchObject([
      { 'Index Name': 'direct_message_pkey', 'Scan Direction': 'Backward' },
    ]);
    expect(scans[0]?.['Index Cond']).toContain('conversation_id = ');
  });

  it('by its id, with its members', async () => {
    const nodes = await planOf(
      BUSY,
      `select c.id, m.account_id, app_public.direct_member_unread_count(m)
      from app_public.direct_conversation c
      left join app_public.direct_member m on m.conversation_id = c.id
      where c.id = $1 order by m.conversation_id, m.account_id limit ${PAGE}`,
      [HOT],
    );
    expectShape(nodes);
  });

  it('that is none of the reader’s is a look-up', async () => {
    expectShape(await planOf(ORDINARY, messages(false), [HOT]));
  });
});

describe('what is unread', () => {
  // As in app_hidden.unread_message_count, into which explain does not look.
  const counted = `
    select count(*) from app_hidden.direct_unread u
    join app_public.direct_member m
      on m.account_id = u.account_id and m.conversation_id = u.conversation_id
    where u.account_id = (select app_hidden.current_account_id()) and m.left_at is null`;

  it('in all is a range of the reader’s rows', async () => {
    const { rows } = await db.pool.query<{ body: string }>(
      "select pg_get_functiondef('app_hidden.unread_message_count'::regproc) as body",
    );
    const words = (text: string) => text.toLowerCase().match(/[a-z_]+/g) ?? [];
    expect(words(rows[0]?.body ?? '')).toEqual(expect.arrayContaining(words(counted)));
    for (const account of [BUSY, ORDINARY]) {
      const nodes = await planOf(account, counted);
      const unread = nodes.filter((it) => it['Relation Name'] === 'direct_unread');
      expect(unread).toMatchObject([{ 'Index Name': 'direct_unread_pkey' }]);
      expect(unread[0]?.['Index Cond']).toContain('account_id = ');
      expect(nodes.map((it) => it['Node Type'])).not.toContain('Seq Scan');
    }
  });
});

describe('blocks', () => {
  it('of the viewer are a range of the primary key, and whether one blocks is a look-up', async () => {
    const nodes = await planOf(
      ORDINARY,
      `select t.blocked_id from app_public.block t where t.blocker_id = $1
      order by t.blocker_id, t.blocked_id limit ${PAGE}`,
      [ORDINARY],
    );
    expectShape(nodes);
    expect(nodes.map((it) => it['Index Name']).filter(Boolean)).toEqual(['block_pkey']);
    const asked = await planOf(
      ORDINARY,
      `select app_public.account_viewer_has_blocked(a) from app_public.account a
      order by a.id limit ${PAGE}`,
    );
    expectShape(asked);
  });
});
