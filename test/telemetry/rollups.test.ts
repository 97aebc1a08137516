import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createRandom } from '../../scripts/lib/demo-random.ts';
import { createAccount } from '../deliberation/community.ts';
import { createTestDatabase, expectSqlState, type TestDatabase } from '../lib/database.ts';
import { DAY, EXACT, fromNow, ingest, RECOUNT, STORED } from './events.ts';

/*
 * What events add up to by day and kind, and the partitions that they lie in: made ahead, dropped
 * when they are old, while the sums stay.
 */

let db: TestDatabase;

beforeAll(async () => {
  db = await createTestDatabase();
});
beforeEach(async () => {
  await db.pool.query('delete from app_public.telemetry_event');
  await drained();
});
afterAll(async () => {
  await db?.drop();
});

async function drained(): Promise<void> {
  for (;;) {
    const { rows } = await db.pool.query<{ drain: { rows: number } }>('select millrace.drain()');
    if (rows[0]?.drain.rows === 0) return;
  }
}

/** Rows of telemetry_day that count something; those of kinds that are gone stay with zeros. */
const counted = async (text: string) =>
  (await db.pool.query(text)).rows.filter((row) => row.event_count !== '0');

async function expectCounts(): Promise<void> {
  const expected = await counted(RECOUNT);
  expect(await counted(EXACT)).toEqual(expected);
  await drained();
  expect(await counted(STORED)).toEqual(expected);
}

const KINDS = ['page.view', 'click', 'error'];

describe('the sums of a day', () => {
  it('are exact at once and stored by the next drain, from several senders at the same time', async () => {
    const random = createRandom(5);
    const accounts = await Promise.all(['A', 'B', 'C', 'D'].map((name) => createAccount(db, name)));
    for (let round = 0; round < 4; round += 1) {
      await Promise.all(
        accounts.map((account) => {
          const events = Array.from({ length: 1 + random.below(40) }, () => ({
            kind: random.pick(KINDS),
            occurredAt: fromNow(-random.below(4 * DAY)),
          }));
          const commit = random.chance(0.8);
          return db.asAccount(account, (client) => ingest(client, events), { commit });
        }),
      );
      if (round === 2) {
        await db.pool.query("delete from app_public.telemetry_event where kind = 'click'");
      }
      await expectCounts();
    }
    expect((await counted(STORED)).length).toBeGreaterThan(4);
    const { rows } = await db.pool.query<{ n: string }>(
      'select max(account_count) as n from app_public.telemetry_day',
    );
    expect(Number(rows[0]?.n)).toBeGreaterThan(1);
  });

  it('are found wrong, and repaired, when somebody writes a partition directly', async () => {
    const account = await createAccount(db, 'A');
    await db.asAccount(account, (client) => ingest(client, [{ kind: 'drift' }]), { commit: true });
    await drained();
    await db.pool.query(`do $$
      begin
        execute (select format('delete from %s where kind = ''drift''', tableoid::regclass)
          from app_public.telemetry_event where kind = 'drift');
      end $$`);
    const { rows } = await db.pool.query(
      `select name, keys_drifted from millrace.reconcile(repair => true) where keys_drifted <> 0
      order by name`,
    );
    expect(rows).toEqual([
      { name: 'app_public.telemetry_day.account_count', keys_drifted: '1' },
      { name: 'app_public.telemetry_day.event_count', keys_drifted: '1' },
    ]);
    await expectCounts();
  });
});

describe('partitions', () => {
  const status = async () =>
    (
      await db.pool.query(
        `select ahead, retention, retain = interval '12 months' as is_default, keep_derived, alarm,
          oldest <= now() - interval '7 days' as reaches_back
        from millrace.partition_status where table_name = 'app_public.telemetry_event'`,
      )
    ).rows[0];

  /** What the job of that name does: the statement of its file with its payload. */
  const upkeep = async (at?: string) => {
    const { rows } = await db.pool.query<{ action: string }>(
      'select action from millrace.partition_plan($1, $2)',
      ['app_public.telemetry_event', at ?? null],
    );
    return rows.map(({ action }) => action);
  };

  it('are declared: three months ahead, a week back, a year long', async () => {
    expect(await status()).toEqual({
      ahead: '3',
      retention: 'drop',
      is_default: true,
      keep_derived: true,
      alarm: null,
      reaches_back: true,
    });
    expect(await upkeep()).toEqual([]);
  });

  it('are what the daily job looks after', async () => {
    await db.pool.query(`do $$
      begin
        execute (select format('drop table %s', b.partition)
          from millrace.partition_bounds('app_public.telemetry_event') b order by b.to_time desc limit 1);
      end $$`);
    expect(await upkeep()).toEqual(['create']);
    await db.pool.query("call millrace.partition_run('{}')");
    expect(await status()).toMatchObject({ ahead: '3', alarm: null });
  });

  it('take events of a month ago and of today, each in its own', async () => {
    await db.pool.query("update app_private.telemetry_setting set max_age = '40 days'");
    try {
      await db.pool.query('select app_private.keep_telemetry()');
      const account = await createAccount(db, 'A');
      const events = [0, 10, 20, 39].map((days) => ({
        kind: 'spread',
        occurredAt: fromNow(-days * DAY),
      }));
      await db.asAccount(
        account,
        async (client) => expect(await ingest(client, events)).toMatchObject({ stored: 4 }),
        { commit: true },
      );
      const { rows } = await db.pool.query(
        `select count(distinct tableoid)::int as partitions,
          count(distinct date_trunc('month', occurred_at, 'UTC'))::int as months
        from app_public.telemetry_event`,
      );
      expect(rows[0].partitions).toBe(rows[0].months);
      expect(rows[0].months).toBeGreaterThan(1);
      await expectCounts();
    } finally {
      await db.pool.query("update app_private.telemetry_setting set max_age = '7 days'");
    }
  });

  it('are dropped when they are older than is kept, and the sums stay', async () => {
    const account = await createAccount(db, 'A');
    await db.pool.query(`
      select millrace.partition_create('app_public.telemetry_event', m, m + interval '1 month')
      from (select date_trunc('month', now(), 'UTC') - interval '6 months' as m) x`);
    await db.pool.query(
      `insert into app_public.telemetry_day (day, kind)
        select d.day, 'old' from (
          select (date_trunc('month', now(), 'UTC') - interval '6 months' + interval '3 days')::date as day
        ) d;`,
    );
    await db.pool.query(
      `insert into app_public.telemetry_event (account_id, kind, occurred_at)
        select $1, 'old', date_trunc('month', now(), 'UTC') - interval '6 months' + interval '3.5 days'
        from generate_series(1, 5)`,
      [account],
    );
    await db.asAccount(account, (client) => ingest(client, [{ kind: 'new' }]), { commit: true });
    await drained();
    const before = await counted(STORED);
    expect(before.map(({ kind, event_count: n }) => [kind, n])).toEqual([
      ['old', '5'],
      ['new', '1'],
    ]);
    try {
      await db.pool.query("select app_private.keep_telemetry('3 months')");
      expect(await upkeep()).toContain('drop');
      await db.pool.query("call millrace.partition_run('{}')");
      expect(await upkeep()).toEqual([]);
      const { rows } = await db.pool.query('select distinct kind from app_public.telemetry_event');
      expect(rows).toEqual([{ kind: 'new' }]);
      await drained();
      expect(await counted(STORED)).toEqual(before);
      expect(await counted(EXACT)).toEqual(before);
      const { rows: drift } = await db.pool.query(
        'select name from millrace.reconcile() where keys_drifted <> 0',
      );
      expect(drift).toEqual([]);
    } finally {
      await db.pool.query("select app_private.keep_telemetry('12 months')");
    }
  });

  it('keep what an operator has said when the declarations run again', async () => {
    await db.pool.query("select app_private.keep_telemetry('24 months')");
    await db.pool.query('select app_private.keep_telemetry()');
    const { rows } = await db.pool.query(
      "select retain::text, module from millrace.partition_status where table_name like '%telemetry%'",
    );
    expect(rows).toEqual([{ retain: '2 years', module: 'telemetry' }]);
    await db.pool.query("select app_private.keep_telemetry('12 months')");
  });

  it.each([
    ['1 day', '23514'],
    ['20 days', 'MR045'],
  ])('are not kept for %s only', async (retain, code) => {
    await expectSqlState(db.pool.query('select app_private.keep_telemetry($1)', [retain]), code);
    expect(await status()).toMatchObject({ is_default: true });
  });
});
