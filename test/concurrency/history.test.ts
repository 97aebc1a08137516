import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  describeHistory,
  type HistoryOptions,
  type HistoryReport,
  runHistory,
} from './lib/history.ts';
import { DISCIPLINED } from './lib/operations.ts';
import { runSeed } from './lib/random.ts';
import { dropEngine } from './lib/world.ts';
import { createWorlds, type Worlds, withOwner } from './lib/worlds.ts';

/*
 * Random histories: whatever happens, every exact read equals a recount in the same snapshot; the
 * engine holds up no voter and is in no deadlock.
 *
 * PROOF_SEED          replays the transactions of a run (its seed is printed)
 * PROOF_TRANSACTIONS  of each of the 8 clients, default 200; 20,000 is a night's work
 * PROOF_ROUNDS        histories, each with a seed of its own; default 1
 * PROOF_COMPARE       0 leaves out the same history without the engine
 * PROOF_ONLY, PROOF_WITHOUT  tags of operations, separated by commas: to find what makes a fault
 */

const seed = runSeed();
const transactions = Number(process.env.PROOF_TRANSACTIONS ?? 200);
const rounds = Number(process.env.PROOF_ROUNDS ?? 1);
const filter = {
  only: process.env.PROOF_ONLY?.split(','),
  without: process.env.PROOF_WITHOUT?.split(','),
};
const compares = process.env.PROOF_COMPARE !== '0';
const TIMEOUT = 300_000 + transactions * 1_000;

let worlds: Worlds;

beforeAll(async () => {
  worlds = await createWorlds();
}, TIMEOUT);

afterAll(async () => {
  await worlds.drop();
});

async function history(
  title: string,
  options: Partial<HistoryOptions> & { seed: string },
): Promise<HistoryReport> {
  const report = await worlds.with(async (connectionString) => {
    if (options.engine === false) await withOwner(connectionString, dropEngine);
    return await runHistory({ connectionString, transactions, filter, ...options });
  });
  console.log(`${title}, ${describeHistory(report)}`);
  return report;
}

describe.each(Array.from({ length: rounds }, (_, round) => round))('history %i', (round) => {
  const seedOfRound = round === 0 ? seed : `${seed}-${round}`;

  test(
    'every exact read equals its recount, and in the end every stored value',
    async () => {
      const report = await history('with the engine', { seed: seedOfRound });
      expect(report.faults).toEqual([]);
      expect(report.committed).toBeGreaterThan(0);
      expect(report.checks).toBeGreaterThan(0);
      expect(report.drainedRows).toBeGreaterThan(0);
      expect(report.waits.samples).toBeGreaterThan(0);
      expect(report.waits.votersForEngine, 'voters that waited for the engine').toEqual([]);
      expect(report.waits.onLogs, 'writers that waited for a log').toEqual([]);

      // For a person to compare: deadlocks and waits that the application makes by itself.
      if (compares) {
        await history('without the engine', { seed: seedOfRound, engine: false });
      }
    },
    TIMEOUT,
  );
});

test(
  'transactions that cannot deadlock by themselves do not deadlock with the engine',
  async () => {
    const report = await history('one row a transaction', {
      seed: `${seed}/disciplined`,
      filter: { only: DISCIPLINED },
      alone: true,
    });
    expect(report.faults).toEqual([]);
    expect(report.committed).toBeGreaterThan(0);
    expect(report.deadlocks).toBe(0);
  },
  TIMEOUT,
);
