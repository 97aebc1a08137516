import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createAccount, expectRefused, one } from '../deliberation/community.ts';
import {
  backendPid,
  createTestDatabase,
  expectSqlState,
  type TestDatabase,
  waitUntilBlocked,
} from '../lib/database.ts';
import { DAY, fromNow, ingest, type Receipt } from './events.ts';

/* Batches of events: what is stored, and what is refused without holding up the rest. */

let db: TestDatabase;
let account: string;

beforeAll(async () => {
  db = await createTestDatabase();
});
beforeEach(async () => {
  account = await createAccount(db, 'Ada');
});
afterAll(async () => {
  await db?.drop();
});

const send = (events: unknown, by = account): Promise<Receipt> =>
  db.asAccount(by, (client) => ingest(client, events), { commit: true });

const stored = async (by = account) =>
  (
    await db.pool.query(
      `select id, kind, payload, occurred_at from app_public.telemetry_event
      where account_id = $1 order by kind, occurred_at`,
      [by],
    )
  ).rows;

const named = (kind: string, seconds = -60) => ({
  id: randomUUID(),
  kind,
  occurredAt: fromNow(seconds),
});

describe('a batch', () => {
  it('is stored with what it says, under the account that sends it', async () => {
    const event = { ...named('page.view', -3600), payload: { path: '/', ms: 12.5, tags: ['a'] } };
    expect(await send([event, { kind: 'app-start' }])).toEqual({
      stored: 2,
      duplicates: 0,
      refused: 0,
      refusals: [],
    });
    const [start, view] = await stored();
    expect(start).toMatchObject({ kind: 'app-start', payload: {} });
    expect(Math.abs(start.occurred_at.getTime() - Date.now())).toBeLessThan(60_000);
    expect(view).toEqual({
      id: event.id,
      kind: 'page.view',
      payload: event.payload,
      occurred_at: new Date(event.occurredAt),
    });
  });

  it('of a thousand is the largest, and one more is refused as a whole', async () => {
    const events = Array.from({ length: 1001 }, (_, n) => ({ kind: 'tick', payload: { n } }));
    expect(await send(events.slice(1))).toMatchObject({ stored: 1000, refused: 0 });
    const error = await expectRefused(db, () => send(events), 'TM002');
    expect(error.detail).toContain('1001');
  });

  it('may be empty', async () => {
    expect(await send([])).toEqual({ stored: 0, duplicates: 0, refused: 0, refusals: [] });
  });

  it.each(['{}', '"kind"', '7', 'null', 'true'])('is a list, not %s', async (events) => {
    await expectRefused(db, () => send(events), 'TM001');
  });

  it('is refused without an account, or of one that is gone or suspended', async () => {
    await expectSqlState(
      db.asAnonymous((client) => ingest(client, [])),
      'AC001',
    );
    await db.asAccount(account, (client) => client.query('select app_public.delete_account()'), {
      commit: true,
    });
    await expectRefused(db, () => send([{ kind: 'a' }]), 'AC002');
  });
});

describe('what is refused', () => {
  const at = fromNow(-60);
  const id = randomUUID();
  const CASES: [string, unknown, string][] = [
    ['no object', 7, 'malformed'],
    ['null', null, 'malformed'],
    ['a list', [], 'malformed'],
    ['no kind', {}, 'bad_kind'],
    ['a kind that is null', { kind: null }, 'bad_kind'],
    ['a kind that is a number', { kind: 7 }, 'bad_kind'],
    ['capitals in a kind', { kind: 'Page' }, 'bad_kind'],
    ['a space in a kind', { kind: 'page view' }, 'bad_kind'],
    ['a line behind a kind', { kind: 'page\n' }, 'bad_kind'],
    ['an empty kind', { kind: '' }, 'bad_kind'],
    ['a kind of 65 characters', { kind: 'x'.repeat(65) }, 'bad_kind'],
    ['an unknown field', { kind: 'a', accountId: 1 }, 'unknown_field'],
    ['an id that is none', { kind: 'a', id: 'seven', occurredAt: at }, 'bad_id'],
    ['an id that is a number', { kind: 'a', id: 7, occurredAt: at }, 'bad_id'],
    ['an id without a time', { kind: 'a', id }, 'id_without_time'],
    ['a time without a zone', { kind: 'a', occurredAt: '2026-01-31T12:00:00' }, 'bad_time'],
    ['the 31st of February', { kind: 'a', occurredAt: '2026-02-31T12:00:00Z' }, 'bad_time'],
    ['a time in words', { kind: 'a', occurredAt: 'now' }, 'bad_time'],
    ['a time that is a number', { kind: 'a', occurredAt: 1_700_000_000 }, 'bad_time'],
    ['infinity', { kind: 'a', occurredAt: 'infinity' }, 'bad_time'],
    ['what is over a week old', { kind: 'a', occurredAt: fromNow(-8 * DAY) }, 'too_old'],
    ['a year long ago', { kind: 'a', occurredAt: '0001-01-01T00:00:00Z' }, 'too_old'],
    ['tomorrow', { kind: 'a', occurredAt: fromNow(DAY) }, 'in_the_future'],
    ['a payload that is a text', { kind: 'a', payload: 'x' }, 'bad_payload'],
    ['a payload that is a list', { kind: 'a', payload: [] }, 'bad_payload'],
    [
      'a payload of more than 8,192 bytes',
      { kind: 'a', payload: { text: 'é'.repeat(4100) } },
      'payload_too_large',
    ],
  ];
  const TEXTS: [string, string, string][] = [
    ['a zero character', '{"kind": "a", "payload": {"x": "\\u0000"}}', 'malformed'],
    ['half of a character', '{"kind": "a", "payload": {"x": "\\ud83d"}}', 'malformed'],
    ['a number beyond all', '{"kind": "a", "payload": {"x": 1e200000}}', 'malformed'],
  ];

  it.each([
    ...CASES.map(([name, event, reason]) => [name, JSON.stringify(event), reason]),
    ...TEXTS,
  ])('%s is, and its neighbours are stored', async (_, event, reason) => {
    const receipt = await send(`[{"kind": "before"}, ${event}, {"kind": "behind"}]`);
    expect(receipt).toMatchObject({ stored: 2, duplicates: 0, refused: 1 });
    expect(receipt.refusals).toEqual([{ index: 1, reason, detail: expect.stringMatching(/\S/) }]);
    expect((await stored()).map(({ kind }) => kind)).toEqual(['before', 'behind']);
  });

  it('has every reason there is among these, or below', async () => {
    const { rows } = await db.pool.query<{ reason: string }>(
      'select unnest(enum_range(null::app_public.telemetry_refusal_reason))::text as reason',
    );
    const shown = new Set([...CASES, ...TEXTS].map(([, , reason]) => reason));
    expect(rows.map((it) => it.reason).filter((it) => !shown.has(it))).toEqual([
      'id_reused',
      'too_many_kinds',
    ]);
  });

  it('is none of what is just within the limits', async () => {
    const events = [
      { kind: 'x'.repeat(64) },
      { kind: 'a.b:c-d_e.1' },
      { kind: 'a', payload: { t: 'x'.repeat(8192 - '{"t": ""}'.length) } },
      { kind: 'a', payload: null, id: null, occurredAt: null },
      { kind: 'a', occurredAt: fromNow(-7 * DAY + 60) },
      { kind: 'a', occurredAt: fromNow(4 * 60) },
      { kind: 'a', occurredAt: fromNow(-60).replace('Z', '+00:00') },
      { kind: 'a', occurredAt: fromNow(-60).replace(/:\d\d\.\d+Z/, 'z') },
    ];
    expect(await send(events)).toMatchObject({ stored: events.length, refusals: [] });
  });

  it('may be all of a batch', async () => {
    const receipt = await send(Array.from({ length: 1000 }, () => ({ kind: 'A' })));
    expect(receipt).toMatchObject({ stored: 0, refused: 1000 });
    expect(receipt.refusals.map(({ index }) => index)).toEqual([...Array(1000).keys()]);
  });

  it('keeps the number of kinds of a day within bounds', async () => {
    await db.asOwner(
      async (client) => {
        await client.query('update app_private.telemetry_setting set max_kinds = 3');
      },
      { commit: true },
    );
    try {
      const { rows } = await db.pool.query<{ n: number }>(
        'select count(*)::int as n from app_public.telemetry_day where day = current_date',
      );
      const before = rows[0]?.n ?? 0;
      const kinds = Array.from({ length: 5 }, (_, n) => ({ kind: `fresh.${n}` }));
      const receipt = await send([...kinds, { kind: 'fresh.0' }]);
      const room = Math.max(0, 3 - before);
      expect(receipt.refusals.map(({ reason }) => reason)).toEqual(
        Array(receipt.refused).fill('too_many_kinds'),
      );
      expect(receipt.stored).toBe(room === 0 ? 0 : room + 1);
    } finally {
      await db.pool.query('update app_private.telemetry_setting set max_kinds = 1000');
    }
  });
});

describe('an event that is sent again', () => {
  it('is a duplicate, in another batch and in the same', async () => {
    const event = { ...named('click'), payload: { n: 1 } };
    expect(await send([event])).toMatchObject({ stored: 1, duplicates: 0 });
    expect(await send([event, { kind: 'other' }, event])).toMatchObject({
      stored: 1,
      duplicates: 2,
      refused: 0,
    });
    expect(await send([{ ...event, payload: { n: 2 } }])).toMatchObject({ duplicates: 1 });
    expect((await stored())[0].payload).toEqual({ n: 1 });
  });

  it('with another time is another event of the same id, and refused', async () => {
    const event = named('click', -600);
    await send([event]);
    const receipt = await send([{ ...event, occurredAt: fromNow(-60) }]);
    expect(receipt).toMatchObject({ stored: 0, refusals: [{ reason: 'id_reused' }] });
    expect(receipt.refusals[0]?.detail).toContain(event.occurredAt.slice(0, 10));
  });

  it('by another account is another event', async () => {
    const event = named('click');
    const other = await createAccount(db, 'Bob');
    await send([event]);
    expect(await send([event], other)).toMatchObject({ stored: 1 });
  });

  it('at the same time is stored once, in whatever order the batches have', async () => {
    const events = Array.from({ length: 20 }, () => named('race'));
    const [first, second] = [await db.connect(), await db.connect()];
    for (const client of [first, second]) {
      await client.query('begin');
      await client.query(
        "set local role app_account; select set_config('app.account_id', '', true)",
      );
      await client.query("select set_config('app.account_id', $1, true)", [account]);
    }
    expect(await ingest(first, events)).toMatchObject({ stored: 20 });
    const pid = await backendPid(second);
    const waiting = ingest(second, events.toReversed());
    await waitUntilBlocked(db.pool, pid);
    await first.query('commit');
    expect(await waiting).toMatchObject({ stored: 0, duplicates: 20 });
    await second.query('commit');
    expect(await stored()).toHaveLength(20);
  });
});

it('senders do not wait for each other, but for the first event of a kind and day', async () => {
  const other = await createAccount(db, 'Bob');
  await send([{ kind: 'shared' }]);
  const first = await db.connect();
  await first.query('begin');
  await first.query('set local role app_account');
  await first.query("select set_config('app.account_id', $1, true)", [account]);
  await ingest(first, [{ kind: 'shared' }]);
  await db.asAccount(other, async (client) => {
    await client.query("set local lock_timeout = '2s'");
    expect(await ingest(client, [{ kind: 'shared' }])).toMatchObject({ stored: 1 });
  });
  await first.query('rollback');
});

it('a day of UTC is the day of an event, whatever the session’s time zone', async () => {
  const at = fromNow(-DAY).replace(/T.*/, 'T23:30:00Z');
  await db.asAccount(
    account,
    async (client) => {
      await client.query("set local timezone = 'Asia/Tokyo'");
      await ingest(client, [{ kind: 'late', occurredAt: at }]);
    },
    { commit: true },
  );
  const { day } = await one<{ day: string }>(
    db.pool,
    "select day::text from app_public.telemetry_event where kind = 'late'",
  );
  expect(day).toBe(at.slice(0, 10));
  expect(
    (
      await db.pool.query("select from app_public.telemetry_day where kind = 'late' and day = $1", [
        day,
      ])
    ).rowCount,
  ).toBe(1);
});
