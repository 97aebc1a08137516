import { afterEach, expect, test } from 'vitest';
import {
  declareStaleness,
  measureStaleness,
  type StalenessProgress,
} from '../../scripts/bench/staleness.ts';
import { MUTANTS, type Mutant, plant } from '../concurrency/lib/mutants.ts';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';
import { withOwnerClient } from './lib/whole.ts';

/*
 * Staleness under continuous writes, in which no key is ever quiet: what `npm run bench -- staleness`
 * measures for a minute, until every derivation has run a few times. No figure here is a clock's:
 * the bound is max_wait and what was measured of the same machine in the same moments.
 */

let db: TestDatabase;

afterEach(async () => {
  await db.drop();
});

/** Whether everything that has a max_wait has run so often. */
const haveRun =
  (runs: number) =>
  ({ derivations }: StalenessProgress) =>
    derivations.every((it) => it.maxWaitMs === null || it.runs >= runs);

test('never exceeds max_wait and one run', { timeout: 120_000 }, async () => {
  db = await createTestDatabase();
  await declareStaleness(db.connectionString);
  const result = await measureStaleness(db.connectionString, haveRun(2));
  for (const { name, staleness, boundMs, runs, maxWaitMs } of result.derivations) {
    expect(staleness.length, name).toBeGreaterThan(50);
    if (maxWaitMs !== null) expect(runs, name).toBeGreaterThanOrEqual(2);
    expect(staleness.at(-1), `${name} was seen to be stale`).toBeGreaterThan(0);
    // A tick that comes within 250 ms is within max_wait; here it may come as late as it did.
    const late = maxWaitMs === null ? 0 : result.twoTicksMs;
    expect(staleness.at(-1), name).toBeLessThanOrEqual(boundMs + late);
  }
});

test('without max_wait it would exceed that, and be seen', { timeout: 120_000 }, async () => {
  db = await createTestDatabase();
  await declareStaleness(db.connectionString);
  const mutant = MUTANTS.find(({ name }) => name === 'debounce without max_wait');
  await withOwnerClient(db.connectionString, (client) => plant(client, mutant as Mutant));
  const result = await measureStaleness(db.connectionString, ({ derivations }) =>
    derivations
      .filter(({ name }) => name === 'bench.card' || name === 'bench_noted')
      .every((it) => it.maxMs > 4 * (it.maxWaitMs ?? 0)),
  );
  for (const { name, staleness, boundMs } of result.derivations) {
    if (name !== 'bench.card' && name !== 'bench_noted') continue;
    expect(staleness.at(-1), name).toBeGreaterThan(boundMs + result.twoTicksMs);
  }
});
