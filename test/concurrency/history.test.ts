import { beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase } from '../lib/database.ts';
import { describeHistory, type HistoryReport, runHistory } from './lib/history.ts';
import { runSeed } from './lib/random.ts';
import { createWorld, dropDerivations } from './lib/world.ts';

/*
 * Random histories: whatever happens, every exact read equals a recount in the same snapshot.
 *
 * PROOF_SEED          replays the transactions of a run (its seed is printed)
 * PROOF_TRANSACTIONS  of each of the 8 clients, default 150; 20,000 is a night's work
 * PROOF_ROUNDS        histories, each with a seed of its own; default 1
 * PROOF_ONLY, PROOF_WITHOUT  tags of operations, separated by commas: to find what makes a fault
 */

const seed = runSeed();
const transactions = Number(process.env.PROOF_TRANSACTIONS ?? 150);
const rounds = Number(process.env.PROOF_ROUNDS ?? 1);
const filter = {
  only: process.env.PROOF_ONLY?.split(','),
  without: process.env.PROOF_WITHOUT?.split(','),
};
const TIMEOUT = 600_000 + transactions * 1_000;

async function history(round: number, engine: boolean): Promise<HistoryReport> {
  const db = await createTestDatabase();
  try {
    await db.asOwner(createWorld, { commit: true });
    if (!engine) await db.asOwner(dropDerivations, { commit: true });
    const report = await runHistory({
      connectionString: db.connectionString,
      seed: round === 0 ? seed : `${seed}-${round}`,
      transactions,
      engine,
      filter,
    });
    console.log(`${engine ? 'with' : 'without'} the engine, ${describeHistory(report)}`);
    return report;
  } finally {
    await db.drop();
  }
}

describe.each(Array.from({ length: rounds }, (_, round) => round))('history %i', (round) => {
  let report: HistoryReport;

  beforeAll(async () => {
    report = await history(round, true);
  }, TIMEOUT);

  test('every exact read equals its recount, and so do the stored values in the end', () => {
    expect(report.faults).toEqual([]);
    expect(report.committed).toBeGreaterThan(0);
    expect(report.checks).toBeGreaterThan(0);
    expect(report.drainedRows).toBeGreaterThan(0);
  });

  test('no voter waits for the engine, and no writer for a log', () => {
    expect(report.waits.samples).toBeGreaterThan(0);
    expect(report.waits.votersForEngine).toEqual([]);
    expect(report.waits.onLogs).toEqual([]);
  });
});
