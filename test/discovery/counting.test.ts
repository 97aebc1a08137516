import fc from 'fast-check';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';
import { createSmallWorld, statement } from './statements.ts';
import { expectExactCounts } from './world.ts';

/*
 * Every counter against a recount, after random histories of statements as an owner may write them:
 * exact in the middle of each, exact and stored after a drain.
 */

let db: TestDatabase;

beforeAll(async () => {
  db = await createTestDatabase();
  await createSmallWorld(db);
});

afterAll(async () => {
  await db?.drop();
});

describe('counters', () => {
  it('equal a recount at every moment of random histories', { timeout: 120_000 }, async () => {
    const client = await db.connect();
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            texts: fc.array(statement, { minLength: 1, maxLength: 6 }),
            ends: fc.constantFrom('commit', 'commit', 'rollback'),
            drain: fc.boolean(),
          }),
          { minLength: 1, maxLength: 6 },
        ),
        async (transactions) => {
          for (const { texts, ends, drain } of transactions) {
            await client.query('begin');
            for (const text of texts) await client.query(text);
            await expectExactCounts(client);
            await client.query(ends);
            if (drain) await db.pool.query('select millrace.drain()');
            await expectExactCounts(client);
          }
          await db.pool.query('select millrace.drain()');
          await expectExactCounts(client, { stored: true });
        },
      ),
      { numRuns: 20 },
    );
  });
});
