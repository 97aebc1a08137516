import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ConfigError, loadConfig } from '../../scripts/lib/config.ts';
import { issueToken, tokenKey } from '../../scripts/lib/jwt.ts';
import { endApiPools, makeApiPools, makeWithPgClient } from '../../scripts/lib/pg-service.ts';
import { divideConnections, examineDatabase, listenUrl } from '../../scripts/lib/pools.ts';
import { startServer } from '../../scripts/lib/server.ts';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';
import { type PgBouncer, startPgBouncer } from './pgbouncer.ts';
import { runScript } from './process.ts';

const key = tokenKey(
  'a secret of these tests that is long enough for all the algorithms there are',
);
const SERVER = { key, host: '127.0.0.1', port: 0, development: false };

let db: TestDatabase;
let account: string;

beforeAll(async () => {
  db = await createTestDatabase();
  const { rows } = await db.pool.query<{ id: string }>(
    "insert into app_public.account (display_name) values ('Ada') returning id",
  );
  account = rows[0]!.id;
});

afterAll(() => db.drop());

async function ask(url: string, query: string, accountId?: string) {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(accountId && {
        authorization: `Bearer ${await issueToken(key, { accountId, role: 'account', lifetime: 60 })}`,
      }),
    },
    body: JSON.stringify({ query }),
  });
  // biome-ignore lint/suspicious/noExplicitAny: what a test asked for is what it gets.
  return (await response.json()) as { data: any; errors?: { extensions: { code: string } }[] };
}

describe('sizes', () => {
  const env = (values: Record<string, string>) => loadConfig(values).server.pool;

  test('are 5 to 50 unless set otherwise, and a minimum above the maximum is an error', () => {
    expect(env({})).toEqual({ min: 5, max: 50 });
    expect(env({ POOL_MAX: '3' })).toEqual({ min: 3, max: 3 });
    expect(env({ POOL_MIN: '10', POOL_MAX: '200' })).toEqual({ min: 10, max: 200 });
    expect(() => env({ POOL_MIN: '9', POOL_MAX: '8' })).toThrow(ConfigError);
    expect(() => env({ POOL_MAX: 'many' })).toThrow(/POOL_MAX must be a whole number/);
    expect(() => loadConfig({ DATABASE_POOLER: 'session' })).toThrow(/DATABASE_POOLER must be/);
  });

  test('are divided, each pool gets one, and never more than the server has', () => {
    const total = (sizes: ReturnType<typeof divideConnections>) =>
      Object.values(sizes).reduce((sum, { max }) => sum + max, 0);
    for (let max = 4; max < 120; max += 1) {
      const sizes = divideConnections({ min: 4, max }, 100);
      expect(total(sizes)).toBe(Math.min(max, 80));
      for (const size of Object.values(sizes)) {
        expect(size.max).toBeGreaterThanOrEqual(1);
        expect(size.min).toBeLessThanOrEqual(size.max);
      }
    }
    expect(total(divideConnections({ min: 5, max: 50 }, null))).toBe(50);
    expect(() => divideConnections({ min: 5, max: 50 }, 3)).toThrow(/OP013/);
  });

  test('the limit of the login bounds them too', async () => {
    const direct = await examineDatabase(db.apiConnectionString);
    expect(direct.pooled).toBe(false);
    const { rows } = await db.pool.query<{ available: number }>(
      `select current_setting('max_connections')::int
        - current_setting('superuser_reserved_connections')::int
        - coalesce(current_setting('reserved_connections', true)::int, 0) as available`,
    );
    expect(direct.available).toBe(rows[0]!.available);
  });

  test('the smallest number of connections is open from the start', async () => {
    const server = await startServer({
      ...SERVER,
      connectionString: db.apiConnectionString,
      pool: { min: 5, max: 10 },
    });
    const statistics = server.poolStatistics();
    expect(statistics.map(({ pool, open, max }) => [pool, open, max])).toEqual([
      ['anonymous', 3, 4],
      ['reads', 1, 3],
      ['writes', 1, 3],
    ]);
    const { rows } = await db.pool.query<{ n: number }>(
      `select count(*)::int as n from pg_stat_activity
      where datname = current_database() and starts_with(application_name, 'millrace api')`,
    );
    expect(rows[0]!.n).toBe(5);
    await server.stop();
  });
});

describe('reads and writes', () => {
  test('have pools of their own: a write that waits holds up no read', async () => {
    const server = await startServer({
      ...SERVER,
      connectionString: db.apiConnectionString,
      poolSize: 1,
    });
    const blocker = await db.connect();
    await blocker.query('begin');
    await blocker.query('select from app_public.account where id = $1 for update', [account]);
    const before = server.poolStatistics().find(({ pool }) => pool === 'writes')!.acquired;
    const write = ask(
      server.url,
      'mutation { setDisplayName(input: { displayName: "Eve" }) { result { id } } }',
      account,
    );
    try {
      // The only connection of the writes is taken: it is not given back before the blocker ends.
      for (;;) {
        const writes = server.poolStatistics().find(({ pool }) => pool === 'writes')!;
        if (writes.acquired > before && writes.idle === 0) break;
        await new Promise(setImmediate);
      }
      const read = await ask(server.url, '{ currentAccount { displayName } }', account);
      expect(read.data.currentAccount.displayName).toBe('Ada');
      expect((await ask(server.url, '{ conversations { nodes { id } } }')).errors).toBeUndefined();
    } finally {
      await blocker.query('rollback');
      await write;
      await server.stop();
    }
  });

  test('may go to two servers, and only mutations and subscriptions to the first', async () => {
    const primary = new URL(db.apiConnectionString);
    const replica = new URL(db.apiConnectionString);
    primary.searchParams.set('options', '-c app.which=primary');
    replica.searchParams.set('options', '-c app.which=replica');
    const pools = makeApiPools({
      connectionString: primary.href,
      readConnectionString: replica.href,
      poolSize: 1,
    });
    const which = async (settings: Record<string, string>, onPrimary = false) => {
      const { rows } = await makeWithPgClient(pools, onPrimary)(settings, (client) =>
        client.query<{ which: string }>({ text: "select current_setting('app.which') as which" }),
      );
      return rows[0]!.which;
    };
    const read = { transaction_read_only: 'on' };
    expect(await which({ role: 'app_anonymous', ...read })).toBe('replica');
    expect(await which({ role: 'app_account', 'app.account_id': '1', ...read })).toBe('replica');
    expect(await which({ role: 'app_account', 'app.account_id': '1' })).toBe('primary');
    expect(await which({ role: 'app_anonymous', ...read }, true)).toBe('primary');
    await endApiPools(pools);
  });

  test('a pool without a free connection says so, with a code', async () => {
    const pools = makeApiPools({ connectionString: db.apiConnectionString, poolSize: 1 });
    const held = await pools.anonymous.connect();
    pools.anonymous.options.connectionTimeoutMillis = 1;
    await expect(
      makeWithPgClient(pools)({ role: 'app_anonymous', transaction_read_only: 'on' }, (client) =>
        client.query({ text: 'select 1' }),
      ),
    ).rejects.toMatchObject({ extensions: { code: 'OP004' } });
    held.release();
    await endApiPools(pools);
  });
});

describe('timeouts of the login', () => {
  const show = async (name: string) => {
    const client = new pg.Client({ connectionString: db.apiConnectionString });
    await client.connect();
    const { rows } = await client.query('select current_setting($1) as value', [name]);
    await client.end();
    return rows[0].value;
  };

  test.each([
    ['statement_timeout', '3s'],
    ['lock_timeout', '500ms'],
    ['idle_in_transaction_session_timeout', '5s'],
  ])('%s', async (name, value) => {
    expect(await show(name)).toBe(value);
  });
});

describe.each([
  ['that refuses start-up options', ''],
  ['that drops start-up options', 'ignore_startup_parameters = extra_float_digits,options'],
])('behind a PgBouncer in transaction mode %s', (_, settings) => {
  let bouncer: PgBouncer;

  beforeAll(async () => {
    bouncer = await startPgBouncer(db.apiConnectionString, { connections: 2, settings });
  });
  afterAll(() => bouncer.stop());

  test('it is noticed; denied, it is an error', async () => {
    expect(await examineDatabase(bouncer.connectionString)).toEqual({
      pooled: true,
      available: null,
    });
    await expect(examineDatabase(bouncer.connectionString, 'none')).rejects.toThrow(/OP011/);
  });

  test('without a way around it nothing starts: LISTEN would not work', async () => {
    const options = { ...SERVER, connectionString: bouncer.connectionString };
    await expect(startServer(options)).rejects.toThrow(/OP012.*DIRECT_DATABASE_URL/);
    await expect(
      listenUrl(bouncer.connectionString, true, bouncer.connectionString),
    ).rejects.toThrow(/OP012: DIRECT_DATABASE_URL leads to a pooler too/);
  });

  test('whoever works as the owner is sent to Postgres itself, and has done nothing', async () => {
    const owners = await startPgBouncer(db.connectionString, { connections: 2, settings });
    try {
      for (const [name, args] of [
        ['worker', []],
        ['migrate', ['up']],
        ['start', []],
        ['install-engine', []],
      ] as const) {
        const script = runScript(name, { DATABASE_URL: owners.connectionString }, [...args]);
        expect(await script.ended, name).toBe(1);
        expect(script.output(), name).toMatch(/OP015: DATABASE_URL leads to a pooler/);
      }
      const { rows } = await db.pool.query("select to_regnamespace('pgboss') as made");
      expect(rows).toEqual([{ made: null }]);
    } finally {
      await owners.stop();
    }
  });

  test('everybody is who they are, on connections that all share', async () => {
    const server = await startServer({
      ...SERVER,
      connectionString: bouncer.connectionString,
      directConnectionString: db.apiConnectionString,
      poolSize: 8,
    });
    try {
      const { rows } = await db.pool.query<{ id: string }>(
        `insert into app_public.account (display_name)
        select 'Account ' || i from generate_series(1, 5) i returning id`,
      );
      const ids = [undefined, ...rows.map(({ id }) => id)];
      const answers = await Promise.all(
        Array.from({ length: 240 }, async (_, index) => {
          const id = ids[index % ids.length];
          const me = await ask(
            server.url,
            '{ currentAccount { id } conversations { nodes { id } } }',
            id,
          );
          return [me.errors, me.data.currentAccount?.id];
        }),
      );
      expect(answers).toEqual(answers.map((_, index) => [undefined, ids[index % ids.length]]));

      const made = await Promise.all(
        rows.map(({ id }) =>
          ask(
            server.url,
            'mutation { createConversation(input: { topic: "Rivers" }) { result { topic owner { id } } } }',
            id,
          ),
        ),
      );
      expect(made.map(({ data }) => data.createConversation.result.owner.id)).toEqual(
        rows.map(({ id }) => id),
      );
    } finally {
      await server.stop();
    }
  });

  test('transactions hold one connection, and the timeouts of the login hold', async () => {
    const pools = makeApiPools({
      connectionString: bouncer.connectionString,
      pooled: true,
      poolSize: 4,
    });
    const withPgClient = makeWithPgClient(pools);
    const text = 'select current_user::text as me, txid_current() as transaction';
    await Promise.all(
      Array.from({ length: 20 }, () =>
        withPgClient({ role: 'app_account', 'app.account_id': account }, (client) =>
          client.withTransaction(async (transaction) => {
            const one = await transaction.query({ text });
            const two = await transaction.query({ text });
            expect(one.rows).toMatchObject([{ me: 'app_account' }]);
            expect(two.rows).toEqual(one.rows);
          }),
        ),
      ),
    );
    const { rows } = await withPgClient(
      { role: 'app_anonymous', transaction_read_only: 'on' },
      (client) =>
        client.query({
          text: `select current_user::text as me, current_setting('statement_timeout') as statement,
            current_setting('transaction_read_only') as read_only, current_setting('jit') as jit`,
        }),
    );
    expect(rows).toEqual([{ me: 'app_anonymous', statement: '3s', read_only: 'on', jit: 'off' }]);
    await endApiPools(pools);
  });
});
