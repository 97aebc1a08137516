import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CopyValue, copyRows } from '../../scripts/lib/copy.ts';
import { createEmptyDatabase, type TestDatabase } from '../lib/database.ts';

let db: TestDatabase;

beforeAll(async () => {
  db = await createEmptyDatabase();
});
afterAll(async () => {
  await db?.drop();
});

describe('copyRows', () => {
  it('brings every value as it was', async () => {
    const client = await db.connect();
    await client.query(
      `create temporary table copied
        (n integer, at timestamptz, text text, flag boolean, big bigint)`,
    );
    // Everything but NUL and lone surrogates, which no Postgres text can hold.
    const text = fc
      .string({ unit: fc.oneof(fc.constantFrom('\\', 'N', '.', '\n', '\r', '\t', ','), anyUnit()) })
      .filter((value) => !value.includes('\0'));
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            at: fc.option(
              fc.date({
                min: new Date('1000-01-01'),
                max: new Date('9999-12-31'),
                noInvalidDate: true,
              }),
            ),
            text: fc.option(text),
            flag: fc.option(fc.boolean()),
            big: fc.option(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)),
          }),
        ),
        async (records) => {
          await client.query('truncate copied');
          const rows = records.map(({ at, text, flag, big }, n): CopyValue[] => [
            n,
            at,
            text,
            flag,
            big,
          ]);
          expect(await copyRows(client, 'copied', rows)).toBe(records.length);
          const result = await client.query('select * from copied order by n');
          expect(result.rows).toEqual(
            records.map(({ big, ...rest }, n) => ({ n, ...rest, big: big?.toString() ?? null })),
          );
        },
      ),
      { numRuns: 200 },
    );
  });

  it('reports rows as they go and fails with the error of its source', async () => {
    const client = await db.connect();
    await client.query('create temporary table filled (text text)');
    const seen: number[] = [];
    const long = 'x'.repeat(20_000);
    const rows = Array.from({ length: 40 }, () => [long]);
    expect(await copyRows(client, 'filled', rows, (count) => seen.push(count))).toBe(40);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(seen.length).toBeGreaterThan(5);
    expect(seen.at(-1)).toBe(40);

    async function* failing() {
      yield ['one'];
      await Promise.resolve();
      throw new Error('the source failed');
    }
    await expect(copyRows(client, 'filled', failing())).rejects.toThrow('the source failed');
    const { rows: count } = await client.query('select count(*)::int as n from filled');
    expect(count).toEqual([{ n: 40 }]);
  });

  it('fails with the error of Postgres and leaves the connection usable', async () => {
    const client = await db.connect();
    await client.query('create temporary table checked (n integer check (n < 2))');
    await expect(copyRows(client, 'checked', [[1], [2]])).rejects.toMatchObject({ code: '23514' });
    await expect(copyRows(client, 'nowhere', [[1]])).rejects.toMatchObject({ code: '42P01' });
    const { rows } = await client.query('select count(*)::int as n from checked');
    expect(rows).toEqual([{ n: 0 }]);
  });
});

function anyUnit() {
  return fc
    .integer({ min: 1, max: 0x10ffff })
    .map((code) => (code >= 0xd800 && code <= 0xdfff ? 'x' : String.fromCodePoint(code)));
}
