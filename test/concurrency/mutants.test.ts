import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MUTANTS, type Mutant, plant } from './lib/mutants.ts';
import { drainAll } from './lib/oracle.ts';
import { SCENARIO_NAMES, type ScenarioName, scenario } from './lib/scenarios.ts';
import { GATE, VOTES, withStage } from './lib/stage.ts';
import { createWorlds, type Worlds } from './lib/worlds.ts';

/*
 * The proof of the proof: the engine passes every scenario, and each planted mistake is found by
 * the scenario that was written for it.
 */

let worlds: Worlds;
const caught: { name: string; seconds: number }[] = [];

beforeAll(async () => {
  worlds = await createWorlds(async (client) => {
    await client.query(GATE);
    await client.query(VOTES);
    await drainAll(client);
  });
}, 120_000);

afterAll(async () => {
  await worlds.drop();
  const seconds = caught.map((it) => it.seconds).toSorted((a, b) => a - b);
  console.log(
    `${caught.length} of ${MUTANTS.length} mutants caught, in ${seconds[seconds.length >> 1]?.toFixed(2)} s ` +
      `(median), at most ${seconds.at(-1)?.toFixed(2)} s`,
  );
});

async function play(name: ScenarioName, mutant?: Mutant): Promise<string[]> {
  const connectionString = await worlds.copy();
  if (mutant) {
    const client = new pg.Client({ connectionString, options: '-c role=app_owner' });
    await client.connect();
    try {
      await plant(client, mutant);
    } finally {
      await client.end();
    }
  }
  return await withStage(connectionString, scenario(name).play);
}

describe('the engine passes', () => {
  test.each(SCENARIO_NAMES)('%s', async (name) => {
    expect(await play(name)).toEqual([]);
  });
});

describe('a mistake is found', () => {
  test.each(MUTANTS)('$name: $mistake', async (mutant) => {
    const begun = performance.now();
    const faults = await play(mutant.caughtBy, mutant);
    expect(faults).not.toEqual([]);
    caught.push({ name: mutant.name, seconds: (performance.now() - begun) / 1000 });
  });

  test('a text that is not there is an error, not a mutant', async () => {
    const mutant: Mutant = {
      ...(MUTANTS[0] as Mutant),
      edits: [{ routine: 'millrace.drain', find: 'no such text', replace: '' }],
    };
    await expect(play('truncate', mutant)).rejects.toThrow('does not contain "no such text"');
  });
});
