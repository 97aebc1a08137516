import { afterAll, beforeAll, expect, test } from 'vitest';
import { endApiPools, makeApiPools, makeWithPgClient } from '../../scripts/lib/pg-service.ts';
import { planShape } from '../../scripts/lib/plan-shape.ts';
import { makeSlowStatements, type SlowStatements } from '../../scripts/lib/slow-statements.ts';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';

let db: TestDatabase;
let pools: ReturnType<typeof makeApiPools>;

beforeAll(async () => {
  db = await createTestDatabase();
  pools = makeApiPools({ connectionString: db.apiConnectionString, poolSize: 2 });
});

afterAll(async () => {
  await endApiPools(pools);
  await db.drop();
});

/** Explains again at every call. */
const make = () => makeSlowStatements(makeWithPgClient(pools), { slow: 50, explainAgain: 0 });
const TEXT = 'select id from app_public.account where display_name = $1';
const CANARY = 'a name that is nobody’s business';
const observe = async (
  statements: SlowStatements,
  text = TEXT,
  values: unknown[] | null = [CANARY],
) => {
  statements.observe({
    text,
    values,
    settings: { role: 'app_anonymous', transaction_read_only: 'on' },
    operation: 'Find',
    duration: 60,
  });
  await statements.settled();
};

test('a statement is known by its plan: another index, another hash', async () => {
  const statements = make();
  await db.pool.query(`
    insert into app_public.account (display_name) select 'name ' || n from generate_series(1, 5000) n;
    analyze app_public.account`);
  await observe(statements);
  await observe(statements);
  await db.pool.query(`
    create index planted_display_name_idx on app_public.account (display_name);
    analyze app_public.account`);
  await observe(statements);
  const taken = statements.take();
  expect(taken).toHaveLength(2);
  const [scan, index] = taken;
  expect(scan).toMatchObject({ statement: TEXT, operation: 'Find', calls: 2, total: 120, max: 60 });
  expect(scan?.plan).toMatch(/Seq Scan on account/);
  expect(index).toMatchObject({ hash: scan?.hash, calls: 1 });
  expect(index?.plan).toMatch(/planted_display_name_idx/);
  expect(index?.planHash).not.toBe(scan?.planHash);
  expect(JSON.stringify(taken)).not.toContain(CANARY);
  expect(statements.take()).toEqual([]);
});

test('what was quick, is no statement of data, or cannot be explained', async () => {
  const statements = make();
  statements.observe({ text: TEXT, values: [CANARY], settings: {}, duration: 49 });
  statements.observe({ text: 'commit', values: [], settings: {}, duration: 900 });
  await statements.settled();
  expect(statements.take()).toEqual([]);
  // Not there any more: noted, without a plan.
  await observe(statements, 'select 1 from app_public.gone', []);
  // Sent together: nobody knows which one it was.
  await observe(statements, `${TEXT};\n${TEXT}`, null);
  expect(statements.take()).toMatchObject([
    { planHash: '', plan: null, calls: 1 },
    { planHash: '', plan: null, calls: 1 },
  ]);
});

test('explain runs nothing, and under the role of the statement', async () => {
  const statements = make();
  await observe(
    statements,
    'insert into app_public.account (display_name) values ($1) returning id',
    ['planted by explain'],
  );
  const { rowCount } = await db.pool.query(
    "select from app_public.account where display_name = 'planted by explain'",
  );
  expect(rowCount).toBe(0);
  // A table that the role may not read is not explained for it.
  await observe(statements, 'select * from app_private.account_role', []);
  expect(statements.take().map(({ planHash }) => planHash)).toContain('');
});

test('the shape of a plan has no values and no costs', () => {
  const plan = (rows: number) => [
    {
      Plan: {
        'Node Type': 'Nested Loop',
        'Join Type': 'Left',
        'Plan Rows': rows,
        Plans: [
          {
            'Node Type': 'Index Scan',
            'Scan Direction': 'Backward',
            'Index Name': 'a_pkey',
            'Relation Name': 'a',
            'Index Cond': `(id = ${rows})`,
          },
          { 'Node Type': 'Seq Scan', 'Relation Name': 'b', Filter: `(x > ${rows})` },
        ],
      },
    },
  ];
  expect(planShape(plan(7)).text).toBe(
    'Left Nested Loop\n  Backward Index Scan using a_pkey on a\n  Seq Scan on b',
  );
  expect(planShape(plan(7))).toEqual(planShape(JSON.stringify(plan(8))));
});
