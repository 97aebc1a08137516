import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';
import { TABLES } from '../lib/tables.ts';

let db: TestDatabase;

beforeAll(async () => {
  db = await createTestDatabase();
});

afterAll(async () => {
  await db?.drop();
});

it('every table of the API belongs to a module that tests its rights, and has row level security', async () => {
  const { rows } = await db.pool.query<{ relname: string; relrowsecurity: boolean }>(
    `select relname, relrowsecurity from pg_class c
    where relnamespace = 'app_public'::regnamespace and relkind in ('r', 'p')
      and not relispartition
      and not exists (
        select from millrace.derivation d where d.target = c.oid and d.target_column is null
      )
    order by relname`,
  );
  expect(rows.filter(({ relrowsecurity }) => !relrowsecurity)).toEqual([]);
  expect(rows.map(({ relname }) => relname)).toEqual(Object.values(TABLES).flat().sort());
});
