import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startWaitSampler, type WaitReport } from '../../scripts/bench/waits.ts';
import { startAnalysisLane } from '../../scripts/lib/analysis-lane.ts';
import { QUEUE, requestAnalysis } from '../../scripts/lib/analysis-queue.ts';
import { createRandom } from '../../scripts/lib/demo-random.ts';
import { startTicker } from '../../scripts/lib/ticker.ts';
import { startWorker } from '../../scripts/lib/worker.ts';
import { until } from '../host/until.ts';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';
import { type MadeConversation, makeConversation } from './lib/conversation.ts';
import { twoCamps } from './lib/made-up.ts';

/*
 * 64 people vote on one conversation while it is analysed over and over, with ticker, worker and
 * lane as a host runs them: none of them ever waits for a lock of the host's. Looks go on until
 * enough of them met a result that was being written; so few find each of the mistakes planted here.
 */

const VOTERS = 64;
const OPINIONS = 24;
/** Opinions that nobody has voted on, for each watch. */
const FRESH = 1_000;
/** Looks that have to meet a result being written, and analyses that have to be published. */
const LOOKS = 40;
const ANALYSES = 5;
const VOTER = 'voter';

let db: TestDatabase;
let made: MadeConversation;
const running: { stop(): Promise<unknown> }[] = [];

beforeAll(async () => {
  db = await createTestDatabase();
  made = await makeConversation(db, twoCamps(VOTERS, OPINIONS));
});
afterEach(async () => {
  for (const part of running.splice(0).reverse()) await part.stop();
});
afterAll(async () => {
  await db?.drop();
});

/**
 * Everybody votes through the API's function, one vote after the other: on what they have not voted
 * on yet, which has foreign keys to check, and every fourth time what they have, another way.
 */
async function startVoters(): Promise<{ first: () => number; stop(): Promise<void> }> {
  let stopped = false;
  let first = 0;
  const { rows } = await db.pool.query<{ id: string }>(
    `insert into app_public.opinion (conversation_id, author_id, content)
    select $1, $2, 'Another opinion' from generate_series(1, $3::int) returning id`,
    [made.id, made.owner, FRESH],
  );
  const opinions = rows.map(({ id }) => id);
  const voters = [...made.accounts.values()].slice(0, VOTERS).map(async (account, index) => {
    const client = new pg.Client({
      connectionString: db.connectionString,
      application_name: VOTER,
      options: `-c role=app_account -c app.account_id=${account}`,
    });
    await client.connect();
    const random = createRandom(index + 1);
    const fresh = opinions.slice();
    random.shuffle(fresh);
    while (!stopped) {
      const opinion = random.chance(0.25) ? undefined : fresh.pop();
      await client.query('select app_public.cast_vote($1, $2)', [
        opinion ?? random.pick(opinions),
        random.chance(0.5) ? 'agree' : 'disagree',
      ]);
      if (opinion !== undefined) first += 1;
    }
    await client.end();
  });
  return {
    first: () => first,
    async stop() {
      stopped = true;
      await Promise.all(voters);
    },
  };
}

/** Analyses again whenever the last one has ended, whatever the queue would wait for. */
async function startAnalyses(): Promise<{ published(): Promise<number>; stop(): Promise<void> }> {
  let stopped = false;
  const client = await db.connect();
  const published = async () => {
    const { rows } = await db.pool.query<{ n: number }>(
      'select published::int as n from app_private.analysis_request where conversation_id = $1',
      [made.id],
    );
    return rows[0]?.n ?? 0;
  };
  const asking = (async () => {
    while (!stopped) {
      const before = await published();
      await requestAnalysis(client, made.id);
      // A result that has been overtaken sends for the next one 20 seconds later.
      await until(
        async () => {
          await db.pool.query(
            `update pgboss.job set start_after = clock_timestamp()
            where name = $1 and state = 'created' and start_after > clock_timestamp()`,
            [QUEUE],
          );
          return stopped || (await published()) > before;
        },
        (done) => done,
        60_000,
      );
    }
    await client.end();
  })();
  return {
    published,
    async stop() {
      stopped = true;
      await asking;
    },
  };
}

async function watch(): Promise<WaitReport & { analyses: number; votes: number }> {
  const { connectionString } = db;
  running.push(await startAnalysisLane({ connectionString, keep: 2 }));
  running.push(await startWorker({ connectionString, pollInterval: 50 }));
  running.push(startTicker({ connectionString }));
  const voters = await startVoters();
  running.push(voters);
  await until(voters.first, (votes) => votes > VOTERS);
  const analyses = await startAnalyses();
  running.push(analyses);
  const before = await analyses.published();
  const sampler = await startWaitSampler(connectionString, VOTER, 2);
  const seen = await until(
    async () => ({ ...sampler.report, analyses: (await analyses.published()) - before }),
    (it) => it.whileWriting >= LOOKS && it.analyses >= ANALYSES,
    150_000,
  );
  return { ...(await sampler.stop()), analyses: seen.analyses, votes: voters.first() };
}

describe('64 voters on a conversation that is analysed over and over', () => {
  it('never wait for a lock of the analysis', async () => {
    const { waits, samples, whileWriting, analyses, votes } = await watch();
    expect(waits).toEqual([]);
    expect(whileWriting).toBeGreaterThanOrEqual(LOOKS);
    expect(samples).toBeGreaterThan(whileWriting);
    expect(analyses).toBeGreaterThanOrEqual(ANALYSES);
    expect(votes).toBeGreaterThan(10 * VOTERS);
  }, 240_000);

  it.each([
    [
      'locks the opinions that it has results for',
      'perform from app_public.opinion o where o.conversation_id = new.conversation_id for update',
      /ShareLock|ExclusiveLock/,
    ],
    [
      'locks the votes that it has read',
      'lock table app_public.opinion_vote in share mode',
      /relation RowExclusiveLock app_public\.opinion_vote/,
    ],
  ])(
    'are seen waiting for one that %s',
    async (_, mistake, lock) => {
      await db.pool.query(`
      create function app_private.tg_mistake() returns trigger language plpgsql as $$
      begin ${mistake}; return null; end $$;
      create trigger mistake after insert on app_public.analysis_run
        for each row execute function app_private.tg_mistake();
    `);
      try {
        const { waits } = await watch();
        expect(waits.length).toBeGreaterThan(0);
        expect(waits.map((it) => it.lock).join('\n')).toMatch(lock);
        expect(new Set(waits.map(({ blocker }) => blocker))).toContain('millrace analysis');
      } finally {
        await db.pool.query('drop function app_private.tg_mistake() cascade');
      }
    },
    240_000,
  );
});
