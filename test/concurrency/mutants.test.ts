import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runHistory } from './lib/history.ts';
import { MUTANTS, type Mutant, plant } from './lib/mutants.ts';
import { createProof, type Proof } from './lib/proof.ts';
import { runSeed } from './lib/random.ts';
import { withOwner } from './lib/worlds.ts';

/*
 * The proof of the proof: each planted mistake is found by the scenario that was written for it, and
 * that the engine passes (scenarios.test.ts).
 *
 * PROOF_MUTANT_TRANSACTIONS  also runs a random history on each mutant, of so many transactions of
 *                            each client or until it is caught; default 0. A mistake that needs a
 *                            rare meeting needs thousands.
 * PROOF_FAULTS               prints by what each mistake is found
 */

const transactions = Number(process.env.PROOF_MUTANT_TRANSACTIONS ?? 0);

let proof: Proof;
const caught: { name: string; seconds: number }[] = [];

beforeAll(async () => {
  proof = await createProof();
}, 120_000);

afterAll(async () => {
  await proof.drop();
  if (caught.length === 0) return;
  const seconds = caught.map((it) => it.seconds).toSorted((a, b) => a - b);
  console.log(
    `${caught.length} of ${MUTANTS.length} mutants caught, in ${seconds[seconds.length >> 1]?.toFixed(2)} s ` +
      `(median), at most ${seconds.at(-1)?.toFixed(2)} s`,
  );
});

describe.skipIf(transactions === 0)('a random history finds it too', () => {
  test.for(MUTANTS)('$name', { timeout: 600_000 + transactions * 1_000 }, async (mutant) => {
    const report = await proof.worlds.with(async (connectionString) => {
      await withOwner(connectionString, (client) => plant(client, mutant));
      return await runHistory({ connectionString, seed: runSeed(), transactions });
    });
    console.log(
      `${mutant.name}: ${report.caughtAfter?.toFixed(1) ?? 'not'} s, ${report.checks} checks, ` +
        `seed ${report.seed}: ${report.faults[0]?.slice(0, 200)}`,
    );
    expect(report.faults).not.toEqual([]);
  });
});

describe('a mistake is found', () => {
  test.for(MUTANTS)('$name: $mistake', { timeout: 120_000 }, async (mutant, { skip }) => {
    skip(
      mutant.superuser === true && proof.needsSuperuser(mutant.caughtBy),
      'the login is no superuser',
    );
    const begun = performance.now();
    const faults = await proof.play(mutant.caughtBy, mutant);
    expect(faults).not.toEqual([]);
    if (process.env.PROOF_FAULTS) console.log(`${mutant.name}: ${faults[0]?.slice(0, 300)}`);
    caught.push({ name: mutant.name, seconds: (performance.now() - begun) / 1000 });
  });

  test('a text that is not there is an error, not a mutant', async () => {
    const mutant: Mutant = {
      ...(MUTANTS[0] as Mutant),
      edits: [{ routine: 'millrace.drain', find: 'no such text', replace: '' }],
    };
    await expect(proof.play('truncate', mutant)).rejects.toThrow('does not contain "no such text"');
  });
});
