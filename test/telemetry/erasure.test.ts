import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ROOT } from '../../scripts/lib/config.ts';
import { startWorker } from '../../scripts/lib/worker.ts';
import { createAccount } from '../deliberation/community.ts';
import { until } from '../host/until.ts';
import { createTestDatabase, expectSqlState, type TestDatabase } from '../lib/database.ts';
import { EXACT, fromNow, ingest, RECOUNT, STORED } from './events.ts';

/* A deleted account takes its events with it, and those of the guests that had become part of it. */

let db: TestDatabase;
let ada: string;
let bob: string;

beforeAll(async () => {
  db = await createTestDatabase();
});
beforeEach(async () => {
  await db.pool.query('delete from app_public.telemetry_event');
  await db.pool.query("select graphile_worker.force_unlock_workers('{}')");
  await db.pool.query('delete from graphile_worker._private_jobs');
  [ada, bob] = [await createAccount(db, 'Ada'), await createAccount(db, 'Bob')];
});
afterAll(async () => {
  await db?.drop();
});

const send = (account: string, count: number) =>
  db.asAccount(
    account,
    (client) =>
      ingest(
        client,
        Array.from({ length: count }, (_, index) => ({
          kind: index % 2 === 0 ? 'page.view' : 'click',
          occurredAt: fromNow(-index * 600),
          payload: { name: 'Ada' },
        })),
      ),
    { commit: true },
  );

const remove = (account: string) =>
  db.asAccount(account, (client) => client.query('select app_public.delete_account()'), {
    commit: true,
  });

/** Events by account. */
const counts = async () =>
  new Map(
    (
      await db.pool.query<{ account_id: string; n: number }>(
        'select account_id, count(*)::int as n from app_public.telemetry_event group by 1',
      )
    ).rows.map(({ account_id, n }) => [account_id, n]),
  );

const erase = (payload: object, batch = 10_000) =>
  db.pool.query('call app_private.erase_telemetry($1, $2)', [JSON.stringify(payload), batch]);

async function expectSums(): Promise<void> {
  const counted = async (text: string) =>
    (await db.pool.query(text)).rows.filter((row) => row.event_count !== '0');
  const expected = await counted(RECOUNT);
  expect(await counted(EXACT)).toEqual(expected);
  let rows = 1;
  while (rows > 0) {
    rows = (await db.pool.query('select (millrace.drain() ->> $1)::int as rows', ['rows'])).rows[0]
      .rows;
  }
  expect(await counted(STORED)).toEqual(expected);
}

describe('a deleted account', () => {
  it('has its events erased by a job, and nobody else theirs; the sums follow', async () => {
    await send(ada, 40);
    await send(bob, 3);
    await remove(ada);
    const worker = await startWorker({ connectionString: db.connectionString });
    try {
      expect(await until(counts, (events) => !events.has(ada))).toEqual(new Map([[bob, 3]]));
    } finally {
      await worker.stop();
    }
    await expectSums();
  });

  it('has none erased when the deletion is rolled back', async () => {
    await send(ada, 2);
    await db.asAccount(ada, (client) => client.query('select app_public.delete_account()'));
    const { rows } = await db.pool.query('select task_identifier from graphile_worker.jobs');
    expect(rows).toEqual([]);
  });

  it('has them erased in batches, whatever their size', async () => {
    await send(ada, 25);
    await remove(ada);
    for (const batch of [1, 7, 25]) {
      await erase({ accountId: ada }, batch);
      expect(await counts()).toEqual(new Map());
      await db.pool.query(
        `insert into app_public.telemetry_event (account_id, occurred_at, kind)
         select $1, now() - i * interval '1 hour', 'page.view' from generate_series(1, 25) i`,
        [ada],
      );
    }
    await erase({ accountId: ada }, 26);
    expect(await counts()).toEqual(new Map());
    await expectSums();
  });

  it('takes the events of its guests with it; those of a guest whose account stands stay', async () => {
    const [guest, other] = [await createAccount(db, 'G'), await createAccount(db, 'H')];
    await send(guest, 4);
    await send(other, 5);
    await db.pool.query('select app_private.merge_guest($1, $2)', [guest, ada]);
    await db.pool.query('select app_private.merge_guest($1, $2)', [other, bob]);
    await erase({});
    expect(await counts()).toEqual(
      new Map([
        [guest, 4],
        [other, 5],
      ]),
    );
    await remove(ada);
    await erase({ accountId: ada });
    expect(await counts()).toEqual(new Map([[other, 5]]));
  });

  it('that its job has left behind is found by the task of the night', async () => {
    await send(ada, 4);
    await send(bob, 4);
    await remove(ada);
    const crontab = await readFile(join(ROOT, 'tasks/crontab'), 'utf8');
    expect(crontab).toMatch(/^\d+ \d+ \* \* \* erase_telemetry /m);
    await erase({});
    expect(await counts()).toEqual(new Map([[bob, 4]]));
  });
});

it('nothing is erased of an account that stands, whoever asks', async () => {
  await send(ada, 4);
  await erase({ accountId: ada });
  await erase({ accountId: '987654321' });
  expect(await counts()).toEqual(new Map([[ada, 4]]));
  // The job of somebody who is not deleted does nothing; accounts add none of others.
  await db.asAccount(ada, (client) => client.query('select app_hidden.queue_erasure()'), {
    commit: true,
  });
  const { rows } = await db.pool.query<{ payload: object }>(
    'select payload from graphile_worker._private_jobs',
  );
  expect(rows).toEqual([{ payload: { accountId: ada } }]);
  await erase(rows[0]!.payload);
  expect(await counts()).toEqual(new Map([[ada, 4]]));
  await expectSqlState(
    db.asAccount(ada, (client) => client.query("call app_private.erase_telemetry('{}')")),
    '42501',
  );
});
