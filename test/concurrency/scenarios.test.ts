import { afterAll, beforeAll, expect, test } from 'vitest';
import { createProof, type Proof } from './lib/proof.ts';
import { SCENARIO_NAMES } from './lib/scenarios.ts';

/*
 * The engine passes every scenario. That each of them can fail, mutants.test.ts shows.
 */

let proof: Proof;

beforeAll(async () => {
  proof = await createProof();
}, 120_000);

afterAll(() => proof.drop());

test.for(SCENARIO_NAMES)('the engine passes: %s', { timeout: 120_000 }, async (name, { skip }) => {
  skip(proof.needsSuperuser(name), 'the login is no superuser');
  expect(await proof.play(name)).toEqual([]);
});
