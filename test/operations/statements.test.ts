import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loginConnectionString } from '../../scripts/lib/config.ts';
import { migrateUp } from '../../scripts/lib/migrations.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../scripts/lib/postgres.ts';

/*
 * pg_stat_statements has to be loaded by the server: these tests have one of their own, set up as
 * npm start does it. What is said where it is missing: operator.test.ts.
 */

let folder: string;
let server: EmbeddedPostgres;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-statements-'));
  server = await startEmbeddedPostgres({
    dataDir: join(folder, 'data'),
    port: 0,
    unsafe: true,
    settings: { shared_preload_libraries: 'pg_stat_statements' },
  });
  await migrateUp(server.connectionString);
});

afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

test('the operator sees the statements of all roles, others none, until they are reset', async () => {
  const connect = async (connectionString: string, role: string) => {
    const client = new pg.Client({ connectionString, options: `-c role=${role}` });
    await client.connect();
    return client;
  };
  const api = await connect(
    loginConnectionString(server.connectionString, 'app_authenticator'),
    'app_anonymous',
  );
  const operator = await connect(
    loginConnectionString(server.connectionString, 'app_operator_login'),
    'app_operator',
  );
  try {
    for (let round = 0; round < 3; round += 1) {
      await api.query('select pg_sleep(0.02), count(*) as planted from app_public.conversation');
    }
    const slowest = async (mean: number) =>
      (
        await operator.query(
          `select * from app_operator.slowest_statements($1) where statement like '%as planted%'`,
          [mean],
        )
      ).rows;
    expect(await slowest(15)).toMatchObject([
      {
        statement: expect.stringMatching(/^select pg_sleep\(\$1\)/),
        role_name: 'app_anonymous',
        calls: '3',
        rows: '3',
      },
    ]);
    expect(await slowest(60_000)).toEqual([]);
    await expect(api.query('select * from public.pg_stat_statements')).rejects.toMatchObject({
      code: '42501',
    });
    const { rows } = await operator.query('select * from app_operator.server_overview()');
    expect(rows[0]).toMatchObject({ has_statement_statistics: true, missing: [] });
    await operator.query('select app_operator.reset_statistics()');
    expect(await slowest(0)).toEqual([]);
  } finally {
    await api.end();
    await operator.end();
  }
});
