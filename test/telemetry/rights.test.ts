import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAccount } from '../deliberation/community.ts';
import { createTestDatabase, expectSqlState, type TestDatabase } from '../lib/database.ts';
import { ingest } from './events.ts';

/* Who reads telemetry: moderators and operators; and who writes it: the function alone. */

let db: TestDatabase;
let sender: string;
let moderator: string;
let former: string;

type Work = (client: pg.PoolClient) => Promise<unknown>;
let viewers: Record<string, (work: Work) => Promise<unknown>>;

beforeAll(async () => {
  db = await createTestDatabase();
  sender = await createAccount(db, 'Ada');
  moderator = await createAccount(db, 'Mona', { moderator: true });
  former = await createAccount(db, 'Fred');
  viewers = {
    visitor: (work) => db.asAnonymous(work),
    sender: (work) => db.asAccount(sender, work),
    'moderator as an account': (work) => db.asAccount(moderator, work),
    'former moderator': (work) => db.asModerator(former, work),
    moderator: (work) => db.asModerator(moderator, work),
    operator: (work) => db.asOperator(work),
  };
  await db.asAccount(
    sender,
    (client) => ingest(client, [{ kind: 'view', payload: { path: '/' } }, { kind: 'click' }]),
    { commit: true },
  );
});
afterAll(async () => {
  await db?.drop();
});

const SEEN: [string, number][] = [
  ['visitor', 0],
  ['sender', 0],
  ['moderator as an account', 0],
  ['former moderator', 0],
  ['moderator', 2],
  ['operator', 2],
];

describe.each(SEEN)('%s', (viewer, expected) => {
  it.each([
    ['the table of events', 'app_public.telemetry_event', 1],
    ['the table of days', 'app_public.telemetry_day', 1],
    ['events', 'app_public.telemetry_events()', 1],
    ['days', 'app_public.telemetry_days()', 1],
    ['one kind', "app_public.telemetry_days(kind => 'view')", 0.5],
    ['a search', `app_public.search_telemetry('{"path": "/"}')`, 0.5],
  ])(`sees ${expected === 0 ? 'nothing' : 'all'} of %s`, async (_, source, share) => {
    await viewers[viewer]?.(async (client) => {
      const { rows } = await client.query(`select count(*)::int as n from ${source}`);
      expect(rows).toEqual([{ n: expected * share }]);
    });
  });

  it('writes no table', async () => {
    for (const text of [
      "insert into app_public.telemetry_event (account_id, occurred_at, kind) values (1, now(), 'x')",
      "update app_public.telemetry_event set kind = 'x'",
      'delete from app_public.telemetry_event',
      'truncate app_public.telemetry_event',
      "insert into app_public.telemetry_day values (current_date, 'x')",
      'update app_public.telemetry_day set event_count = 7',
      'update app_private.telemetry_setting set max_kinds = 7',
      "select app_private.keep_telemetry('1 month')",
    ]) {
      await expectSqlState(
        (viewers[viewer] as (work: Work) => Promise<unknown>)((client) => client.query(text)),
        '42501',
      );
    }
  });

  it('reaches no partition past its table', async () => {
    const { rows } = await db.pool.query<{ partition: string }>(
      "select partition::text from millrace.partition_bounds('app_public.telemetry_event')",
    );
    expect(rows.length).toBeGreaterThan(3);
    for (const { partition } of rows) {
      await expectSqlState(
        (viewers[viewer] as (work: Work) => Promise<unknown>)((client) =>
          client.query(`select from ${partition}`),
        ),
        '42501',
      );
    }
  });
});

it('what a sender says of somebody else is under the sender’s name', async () => {
  await db.asAccount(
    sender,
    (client) => ingest(client, [{ kind: 'claim', payload: { accountId: moderator } }]),
    { commit: true },
  );
  const { rows } = await db.pool.query(
    "select account_id from app_public.telemetry_event where kind = 'claim'",
  );
  expect(rows).toEqual([{ account_id: sender }]);
});

it('an operator sends nothing', async () => {
  await expectSqlState(
    db.asOperator((client) => ingest(client, [])),
    '42501',
  );
});
