import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  bigints,
  doubles,
  integers,
  readBigint,
  readBigints,
  readBinary,
  readDoubles,
  readSmallints,
  readTexts,
  smallints,
} from '../../scripts/lib/pg-binary.ts';
import { createEmptyDatabase, type TestDatabase } from '../lib/database.ts';

/* Arrays in Postgres' binary format: what the server reads is what was written, and back. */

let db: TestDatabase;

beforeAll(async () => {
  db = await createEmptyDatabase();
});
afterAll(async () => {
  await db?.drop();
});

const BIG = [0, 1, -1, 2 ** 32, -(2 ** 32), 2 ** 31, -(2 ** 31) - 1, 2 ** 53 - 1, 1 - 2 ** 53];
const REAL = [0, -0, 1.5, -1e-300, 1e300, Number.MIN_VALUE, 0.1, Math.PI];

it('arrays are written as the server reads them', async () => {
  const { rows } = await db.pool.query(
    `select $1::bigint[]::text as big, $2::double precision[]::text as real,
      $3::integer[]::text as int, $4::smallint[]::text as small, $5::bigint[]::text as none`,
    [
      bigints(BIG),
      doubles(REAL),
      integers([0, -1, 2 ** 31 - 1, -(2 ** 31)]),
      smallints([5, -1, -32768, -1, 32767], -1),
      bigints([]),
    ],
  );
  expect(rows[0]).toEqual({
    big: `{${BIG.join(',')}}`,
    real: '{0,-0,1.5,-1e-300,1e+300,5e-324,0.1,3.141592653589793}',
    int: '{0,-1,2147483647,-2147483648}',
    small: '{5,NULL,-32768,NULL,32767}',
    none: '{}',
  });
});

it('arrays are read as the server writes them', async () => {
  const client = await db.connect();
  const texts = ['', 'é 世界 🌍', 'a\nb\\,"', 'x'.repeat(70_000)];
  const [row, second] = await readBinary(
    client,
    `select 9007199254740991::bigint, array[${BIG}]::bigint[],
      array[${REAL.map((it) => `'${Object.is(it, -0) ? '-0' : it}'`)}]::double precision[],
      array[1, null, -128, 127]::smallint[], array[${texts.map((it) => client.escapeLiteral(it))}],
      null::bigint[], '{}'::double precision[]
    union all select 7, null, null, null, null, null, null`,
  );
  const [one, big, real, small, text, none, empty] = row ?? [];
  expect(readBigint(one as Buffer)).toBe(9007199254740991);
  expect([...readBigints(big ?? null)]).toEqual(BIG);
  expect([...readDoubles(real ?? null)]).toEqual(REAL);
  expect([...readSmallints(small ?? null, -1)]).toEqual([1, -1, -128, 127]);
  expect(readTexts(text ?? null)).toEqual(texts);
  expect([...readBigints(none ?? null), ...readDoubles(empty ?? null)]).toEqual([]);
  expect(readBigint(second?.[0] as Buffer)).toBe(7);
  await client.end();
});

it('what does not fit is an error, not another number', async () => {
  const client = await db.connect();
  const [row] = await readBinary(client, 'select array[9007199254740993], array[1.5::float8]');
  expect(() => readBigints(row?.[0] ?? null)).toThrow(RangeError);
  expect(() => readBigints(row?.[1] ?? null)).toThrow(/not an array of type 20/);
  await expect(readBinary(client, 'select 1 / 0')).rejects.toThrow(/division by zero/);
  expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
  await client.end();
});
