import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../host/until.ts';
import { waitUntilBlocked } from '../lib/database.ts';
import { SHEET_CALL } from './lib/relations.ts';
import { DECLARES, startSampler, type WaitReport } from './lib/sampler.ts';
import { createSessions, type Role } from './lib/session.ts';
import { createWorlds, type Worlds, withOwner } from './lib/worlds.ts';

/*
 * What a random history's sampler makes of a writer that waits for a log, by who holds it up and
 * with what.
 */

let worlds: Worlds;

beforeAll(async () => {
  worlds = await createWorlds();
}, 120_000);

afterAll(async () => {
  await worlds?.drop();
});

const LOG = 'millrace_log.proof__sale';
/** Holds the log for as long as somebody has the gate. */
const GATE = 471107;
const AT_GATE = `select pg_advisory_xact_lock_shared(${GATE})`;

interface Holder {
  role: Role;
  /** Sent one after the other; the last may wait at the gate. Ends with its connection. */
  statements: string[];
}

/** Lets a writer wait behind these, who hold the log together. */
async function waitBehind(holders: Holder[]): Promise<WaitReport> {
  return await worlds.with(async (connectionString) => {
    const sessions = createSessions(connectionString);
    try {
      return await withOwner(connectionString, async (gate) => {
        await gate.query('select pg_advisory_lock($1)', [GATE]);
        const running: Promise<unknown>[] = [];
        for (const { role, statements } of holders) {
          const holder = sessions.open(role);
          const client = await holder.client();
          for (const statement of statements) {
            const done = client.query(statement);
            if (statement.includes(AT_GATE)) {
              running.push(done);
              await waitUntilBlocked(gate, holder.pid() as number);
            } else {
              await done;
            }
          }
        }
        const session = sessions.open('writer');
        const writer = await session.client();
        const sampler = startSampler(sessions);
        const writing = writer.query(
          `/* sell */ insert into proof.sale (item_id, buyer, amount) values (1, 'buyer 1', 5)`,
        );
        await waitUntilBlocked(gate, session.pid() as number);
        const begun = sampler.samples();
        await until(sampler.samples, (samples) => samples >= begun + 4, 60_000);
        await gate.query('select pg_advisory_unlock($1)', [GATE]);
        await Promise.all(running);
        for (const session of sessions.all()) {
          if (session.role !== 'writer' && session.role !== 'sampler') await session.reset();
        }
        await writing;
        return await sampler.stop();
      });
    } finally {
      await sessions.close();
    }
  });
}

const lock = (mode = 'share row exclusive') => `lock table ${LOG} in ${mode} mode`;

test('behind a declaration that is running it may wait', { timeout: 60_000 }, async () => {
  const report = await waitBehind([
    {
      role: 'maintenance',
      statements: [`${DECLARES} begin; ${SHEET_CALL}; ${lock()}; ${AT_GATE}`],
    },
  ]);
  expect(report.waits).toContainEqual(
    expect.objectContaining({ role: 'writer', relation: LOG, blockers: ['maintenance'] }),
  );
  expect(report.onLogs).toEqual([]);
});

test.each<[string, Holder[]]>([
  ['a drain', [{ role: 'drain', statements: ['begin', lock(), 'select millrace.drain()'] }]],
  ['a job', [{ role: 'job', statements: [`begin; ${lock()}; ${AT_GATE}`] }]],
  ['a reconcile', [{ role: 'reconcile', statements: ['begin', lock()] }]],
  [
    'a backfill',
    [
      {
        role: 'maintenance',
        statements: ['begin', lock(), `select millrace.backfill(2); ${AT_GATE}`],
      },
    ],
  ],
  [
    'a declaration whose transaction is left open',
    [{ role: 'maintenance', statements: [`${DECLARES} begin; ${SHEET_CALL}; ${lock()}`] }],
  ],
  [
    'a declaration that goes on after its own statement',
    [
      {
        role: 'maintenance',
        statements: [
          `${DECLARES} begin; ${SHEET_CALL}; ${lock()}`,
          `select millrace.run_now('proof.shop_sheet'); ${AT_GATE}`,
        ],
      },
    ],
  ],
  [
    'several declarations',
    [1, 2].map(() => ({
      role: 'maintenance',
      statements: [`${DECLARES} begin; ${lock('share')}; ${AT_GATE}`],
    })),
  ],
  [
    'a declaration and a drain',
    [
      { role: 'maintenance', statements: [`${DECLARES} begin; ${lock('share')}; ${AT_GATE}`] },
      { role: 'drain', statements: ['begin', lock('share')] },
    ],
  ],
])('behind %s it is held up', { timeout: 60_000 }, async (_, holders) => {
  expect((await waitBehind(holders)).onLogs).toEqual([
    expect.objectContaining({ role: 'writer', tag: 'sell', relation: LOG }),
  ]);
});
