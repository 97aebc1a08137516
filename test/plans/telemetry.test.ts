import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAccount } from '../deliberation/community.ts';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';
import { explain, nodesOf, type PlanNode } from '../lib/plan.ts';

/*
 * The shape of what is asked of telemetry with 24 months of events: partitions that hold nothing of
 * the days asked for are not touched, and of the others a range of an index is read.
 */

const MONTHS = 24;
const EVENTS_A_MONTH = 3_000;
/** The month that is asked has more: days worth an index. */
const ASKED_MONTH = 12;
const EVENTS_ASKED = 24_000;
const PAGE = 21;

let db: TestDatabase;
let moderator: string;
let sender: string;
/** A day in the middle, and the last one that has events. */
let day: string;
let last: string;
/** Partitions made ahead: nothing is in them, and reading that as a whole is no fault. */
let empty: Set<string>;

beforeAll(async () => {
  db = await createTestDatabase();
  moderator = await createAccount(db, 'Mona', { moderator: true });
  sender = await createAccount(db, 'Ada');
  await db.pool.query(`
    set timezone = 'UTC';
    select millrace.partition_create('app_public.telemetry_event', m, m + interval '1 month')
    from generate_series(1, ${MONTHS}) n,
      lateral (select date_trunc('month', now()) - n * interval '1 month' as m) x;
    insert into app_public.telemetry_event (account_id, kind, occurred_at, payload)
      select 1 + i % 50, 'kind.' || i % 20,
        date_trunc('month', now()) - n * interval '1 month' + i * interval '28 days' / x.events,
        jsonb_build_object('path', '/' || i % 1000, 'ms', i)
      from generate_series(1, ${MONTHS}) n,
        lateral (
          select case when n = ${ASKED_MONTH} then ${EVENTS_ASKED} else ${EVENTS_A_MONTH} end as events
        ) x,
        generate_series(1, x.events) i;
    insert into app_public.telemetry_event (account_id, kind, occurred_at)
      select 1 + i % 50, 'kind.' || i % 20, now() - i * interval '6 days' / ${EVENTS_A_MONTH}
      from generate_series(1, ${EVENTS_A_MONTH}) i;
    insert into app_public.telemetry_day (day, kind)
      select distinct day, kind from app_public.telemetry_event;
    reset timezone;
  `);
  for (;;) {
    const { rows } = await db.pool.query<{ drain: { rows: number } }>('select millrace.drain()');
    if (rows[0]?.drain.rows === 0) break;
  }
  await db.pool.query('vacuum (analyze)');
  const { rows } = await db.pool.query<{ day: string; last: string; empty: string[] }>(
    `select (date_trunc('month', now(), 'UTC') - interval '${ASKED_MONTH} months')::date + 10 as day,
      max(day) as last, array(
        select c.relname::text from millrace.partition_bounds('app_public.telemetry_event') b
        join pg_class c on c.oid = b.partition
        where c.reltuples = 0
      ) as empty
    from app_public.telemetry_event
    where occurred_at < date_trunc('month', now(), 'UTC')`,
  );
  empty = new Set(rows[0]?.empty);
  [day, last] = [format(rows[0]?.day), format(rows[0]?.last)];
});
afterAll(async () => {
  await db?.drop();
});

/** A date as pg reads it is midnight here. */
const format = (date: unknown) => {
  const at = date as Date;
  const two = (value: number) => String(value).padStart(2, '0');
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
};

type As = (work: (client: pg.PoolClient) => Promise<PlanNode[]>) => Promise<PlanNode[]>;

async function planOf(as: As, text: string, values: unknown[]): Promise<PlanNode[]> {
  return await as(async (client) => {
    // As the logins of the API have it.
    await client.query('set local random_page_cost = 1.1');
    return nodesOf(await explain(client, text, values));
  });
}

const asModerator: As = (work) => db.asModerator(moderator, work);
const asOperator: As = (work) => db.asOperator(work);
const asOwner: As = (work) => db.asOwner(work);

/** Partitions of events that the plan names, and asserts that none is read as a whole. */
function partitionsIn(nodes: PlanNode[]): Set<string> {
  const scans = nodes.filter(
    ({ 'Relation Name': name }) => name?.startsWith('telemetry_event') && !empty.has(name),
  );
  expect(scans.map((it) => it['Node Type'])).not.toContain('Seq Scan');
  return new Set(scans.map((it) => it['Relation Name'] as string));
}

const partitionOf = (date: string) =>
  db.pool
    .query<{ name: string }>(
      `select c.relname as name from millrace.partition_bounds('app_public.telemetry_event') b
      join pg_class c on c.oid = b.partition
      where $1::timestamptz >= b.from_time and $1::timestamptz < b.to_time`,
      [`${date}T12:00:00Z`],
    )
    .then(({ rows }) => rows[0]?.name as string);

const list = (kind: boolean, later: boolean) => `
  select t.id, t.kind, t.occurred_at, t.payload
  from app_public.telemetry_events($1, $1${kind ? ", 'kind.3'" : ''}) t
  ${
    later
      ? 'where (t.day, t.occurred_at, t.id, t.account_id) < ($2::date, $3::timestamptz, $4::uuid, 7)'
      : ''
  }
  order by t.day desc, t.occurred_at desc, t.id desc, t.account_id desc limit ${PAGE}`;

describe.each([
  ['moderator', asModerator],
  ['operator', asOperator],
])('for a %s', (_, as) => {
  it.each([
    [false, false],
    [false, true],
    [true, false],
    [true, true],
  ])('a page of a day, of one kind: %s, a later one: %s', async (kind, later) => {
    const values = later
      ? [day, day, `${day}T12:00:00Z`, '80000000-0000-0000-0000-000000000000']
      : [day];
    const nodes = await planOf(as, list(kind, later), values);
    expect(partitionsIn(nodes)).toEqual(new Set([await partitionOf(day)]));
    const scans = nodes.filter((it) => it['Relation Name']?.startsWith('telemetry_event'));
    for (const scan of scans) {
      expect(scan['Index Cond']).toMatch(/day/);
      expect(scan['Actual Rows'] * scan['Actual Loops']).toBeLessThanOrEqual(PAGE * 2);
    }
    if (kind) expect(scans[0]?.['Index Cond']).toMatch(/kind/);
  });

  it('a count of a day reads that day', async () => {
    const nodes = await planOf(
      as,
      'select kind, count(*) from app_public.telemetry_events($1, $1) group by kind',
      [day],
    );
    expect(partitionsIn(nodes)).toEqual(new Set([await partitionOf(day)]));
    const read = nodes
      .filter((it) => it['Relation Name'])
      .reduce((sum, it) => sum + it['Actual Rows'] * it['Actual Loops'], 0);
    expect(read).toBeLessThan((EVENTS_ASKED / 28) * 1.2 + 1);
  });

  it('a week across the end of a month touches both', async () => {
    const first = `${day.slice(0, 7)}-01`;
    const nodes = await planOf(
      as,
      "select count(*) from app_public.telemetry_events(($1::date - 3), ($1::date + 3), 'kind.3')",
      [first],
    );
    const { rows } = await db.pool.query<{ before: Date }>('select $1::date - 1 as before', [
      first,
    ]);
    expect(partitionsIn(nodes)).toEqual(
      new Set([await partitionOf(first), await partitionOf(format(rows[0]?.before))]),
    );
  });

  it('sums of a day, and of a kind over all days, are ranges of an index', async () => {
    for (const [call, column] of [
      ['$1, $1', 'day'],
      ["null, null, 'kind.3'", 'kind'],
    ]) {
      const nodes = await planOf(
        as,
        `select d.day, d.kind, d.event_count from app_public.telemetry_days(${call}) d
        where $1::date is not null order by d.day desc, d.kind limit ${PAGE}`,
        [last],
      );
      const scans = nodes.filter((it) => it['Relation Name'] === 'telemetry_day');
      expect(scans.map((it) => it['Node Type'])).not.toContain('Seq Scan');
      expect(scans).toHaveLength(1);
      const conditions = nodes.map((it) => it['Index Cond']).filter((it) => it !== undefined);
      expect(conditions).toEqual([expect.stringContaining(column as string)]);
    }
  });
});

it('a search of payloads asks the index of their content, in the partitions of its days', async () => {
  // As in search_telemetry, into which explain does not look.
  const nodes = await planOf(
    asOwner,
    `select e.* from app_public.telemetry_event e
    where e.payload @> '{"path": "/7"}'
      and e.day between $1::date - 20 and $1
      and e.occurred_at >= ($1::date - 20)::timestamptz and e.occurred_at < ($1::date + 1)::timestamptz
    order by e.day desc, e.occurred_at desc, e.id desc limit 1000`,
    [last],
  );
  partitionsIn(nodes);
  const gin = nodes.filter((it) => it['Index Name']?.includes('payload'));
  expect(gin.length).toBeGreaterThan(0);
  expect(gin.length).toBeLessThanOrEqual(2);
  const { rows } = await db.pool.query<{ body: string }>(
    "select pg_get_functiondef('app_public.search_telemetry'::regproc) as body",
  );
  expect(rows[0]?.body).toContain('e.payload @> search_telemetry.payload');
  const found = await db.asModerator(moderator, (client) =>
    client.query(`select payload from app_public.search_telemetry('{"path": "/7"}', $1, $1)`, [
      last,
    ]),
  );
  for (const { payload } of found.rows) expect(payload.path).toBe('/7');
});

it('an event that is sent again is found by its key, in the partitions of a week', async () => {
  const nodes = await planOf(
    asOwner,
    `select r.id, t.occurred_at
    from unnest(array(select gen_random_uuid() from generate_series(1, 10))) r(id)
    left join lateral (
      select t.occurred_at from app_public.telemetry_event t
      where t.account_id = $1 and t.id = r.id
        and t.occurred_at between now() - interval '7 days' and now() + interval '5 minutes'
      limit 1
    ) t on true`,
    [sender],
  );
  const touched = nodes.filter(
    ({ 'Relation Name': name, 'Actual Loops': loops }) =>
      name?.startsWith('telemetry_event') && loops > 0 && !empty.has(name),
  );
  expect(partitionsIn(touched).size).toBe(touched.length);
  expect(touched.length).toBeGreaterThan(0);
  expect(touched.length).toBeLessThanOrEqual(2);
  for (const node of touched) {
    expect(node['Index Cond']).toMatch(/account_id = .* AND \(?id = /);
  }
});

it('the engine recounts a kind of a day by an index, partition by partition', async () => {
  const nodes = await planOf(
    asOwner,
    "select count(*) from app_public.telemetry_event e where e.day = $1 and e.kind = 'kind.3'",
    [day],
  );
  expect(partitionsIn(nodes).size).toBe(MONTHS + 1);
  for (const node of nodes.filter((it) => it['Index Cond'])) {
    expect(node['Index Cond']).toMatch(/kind = .*day = |day = .*kind = /);
  }
});
