import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tokenKey } from '../../scripts/lib/jwt.ts';
import { makeOperationNames, operationName } from '../../scripts/lib/operation-names.ts';
import { type ApiServer, startServer } from '../../scripts/lib/server.ts';
import { startTicker } from '../../scripts/lib/ticker.ts';
import { runScript } from '../host/process.ts';
import { until } from '../host/until.ts';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';

const key = tokenKey('a secret of this test, long enough for every algorithm of the family');

let db: TestDatabase;
let server: ApiServer;

const options = () => ({
  connectionString: db.apiConnectionString,
  key,
  host: '127.0.0.1',
  port: 0,
  development: false,
  poolSize: 2,
});

beforeAll(async () => {
  db = await createTestDatabase();
  server = await startServer(options());
});

afterAll(async () => {
  await server.stop();
  await db.drop();
});

const query = async (text: string, to = server) => {
  const response = await fetch(`${to.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: text }),
  });
  await response.arrayBuffer();
  return response.status;
};

/** The samples of GET /metrics by name and labels, as they are written. */
const scrape = async (to = server) => {
  const response = await fetch(`${to.url}/metrics`);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  const samples = new Map<string, number>();
  for (const line of (await response.text()).split('\n')) {
    const [, name, value] = /^([^#\s].*) (\S+)$/.exec(line) ?? [];
    if (name !== undefined) samples.set(name, Number(value));
  }
  return samples;
};

describe('/healthz and /readyz', () => {
  const ready = async (to: ApiServer, search = '') => {
    const response = await fetch(`${to.url}/readyz${search}`);
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };

  test('without a ticker a host is ready, degraded, and not for who is strict', async () => {
    expect(await ready(server)).toMatchObject({
      status: 200,
      body: {
        status: 'degraded',
        checks: { database: true, migrated: true, ticker: false, listener: true },
        pending: 0,
      },
    });
    expect((await ready(server, '?strict')).status).toBe(503);
  });

  test('with one it is well', async () => {
    const ticker = startTicker({ connectionString: db.connectionString });
    try {
      const { body } = await until(
        () => ready(server, '?strict'),
        ({ status }) => status === 200,
      );
      expect(body).toMatchObject({ status: 'ok', checks: { ticker: true } });
    } finally {
      await ticker.stop();
    }
  });

  test('with pg_cron that ticks it is well, too, while its job is active and of this database', async () => {
    await until(
      () => ready(server),
      ({ body: { status } }) => status === 'degraded',
    );
    // What pg_cron has of a job; its own columns, and nothing else of it.
    await db.pool.query(`
      create schema cron;
      create table cron.job (jobid bigint primary key, schedule text, command text, nodename text,
        nodeport int, database text, username text, active boolean, jobname text);
      insert into cron.job values (1, '1 second', 'select millrace.tick()', 'localhost', 5432,
        current_database(), current_user, true, 'millrace')`);
    const { body } = await until(
      () => ready(server),
      ({ body: { status } }) => status === 'ok',
    );
    expect(body).toMatchObject({ checks: { ticker: true } });
    await until(
      () => scrape(),
      (samples) => samples.get('millrace_tickers') === 1,
    );
    const isDegradedBy = async (change: string) => {
      await db.pool.query(change);
      expect((await ready(server)).body).toMatchObject({
        status: 'degraded',
        checks: { ticker: false },
      });
    };
    await isDegradedBy('update cron.job set active = false');
    await isDegradedBy("update cron.job set active = true, database = 'another'");
    await isDegradedBy(
      "update cron.job set database = current_database(), command = 'select millrace.ticket()'",
    );
    // Of others: not to be read, or another table of that name.
    await isDegradedBy(
      "update cron.job set command = 'select millrace.tick()'; alter table cron.job rename active to is_active",
    );
    await db.pool.query('drop schema cron cascade');
  });

  test('a database that lacks a migration of this host is not ready, one with more is', async () => {
    await db.pool.query(
      "update app_migration.migration set name = 'x' || name where name like '0002%'",
    );
    expect((await ready(server)).body).toMatchObject({ checks: { migrated: true } });
    await db.pool.query("delete from app_migration.migration where name like 'x0002%'");
    expect(await ready(server)).toMatchObject({
      status: 503,
      body: { status: 'unavailable', checks: { database: true, migrated: false } },
    });
    await db.pool.query(
      "insert into app_migration.migration (name, run_on, checksum) values ('9999_later', now(), '')",
    );
    expect((await ready(server)).status).toBe(200);
  });

  test('without a database it is not ready, and still healthy', async () => {
    const own = await createTestDatabase();
    const alone = await startServer({ ...options(), connectionString: own.apiConnectionString });
    await own.drop();
    expect(await ready(alone)).toMatchObject({
      status: 503,
      body: { status: 'unavailable', checks: { database: false, migrated: null, ticker: null } },
    });
    const response = await fetch(`${alone.url}/healthz`);
    expect([response.status, await response.json()]).toEqual([200, { status: 'ok' }]);
    const samples = await scrape(alone);
    expect(samples.get('millrace_database_up')).toBe(0);
    expect([...samples.keys()].filter((name) => name.startsWith('millrace_staleness'))).toEqual([]);
    await alone.stop();
  });
});

describe('/metrics', () => {
  test('counts requests by operation, with percentiles', async () => {
    for (let round = 0; round < 3; round += 1) {
      await query('query Named { conversations(first: 1) { nodes { id } } }');
    }
    await query('{ conversations(first: 1) { nodes { id } } }');
    const samples = await scrape();
    expect(samples.get('millrace_requests_total{operation="Named",outcome="ok"}')).toBe(3);
    expect(samples.get('millrace_requests_total{operation="(unnamed)",outcome="ok"}')).toBe(1);
    for (const quantile of ['0.5', '0.95', '0.99']) {
      expect(
        samples.get(`millrace_request_seconds{quantile="${quantile}",operation="Named"}`),
      ).toBeGreaterThan(0);
    }
    expect(samples.get('millrace_request_duration_seconds_count')).toBeGreaterThanOrEqual(4);
  });

  test('a fault of the host counts as error, a mistake of the client does not', async () => {
    await query('query Mistaken { nothing }');
    await db.pool.query('alter function app_public.current_account() rename to hidden_account');
    await query('query Faulty { currentAccount { id } }');
    await db.pool.query('alter function app_public.hidden_account() rename to current_account');
    const samples = await scrape();
    expect(samples.get('millrace_requests_total{operation="Mistaken",outcome="ok"}')).toBe(1);
    expect(samples.get('millrace_requests_total{operation="Faulty",outcome="error"}')).toBe(1);
  });

  test('shows pools, engine, jobs, alerts and connections', async () => {
    await db.pool.query("insert into app_public.account (display_name) values ('A')");
    const samples = await until(scrape, (them) =>
      [...them].some(([name, value]) => name.startsWith('millrace_pending_rows') && value > 0),
    );
    expect(samples.get('millrace_pool_connections{pool="anonymous",state="max"}')).toBe(2);
    expect(samples.get('millrace_pool_acquired_total{pool="anonymous"}')).toBeGreaterThan(0);
    expect(samples.get('millrace_database_up')).toBe(1);
    expect(samples.get('millrace_pending_rows{source="app_public.account"}')).toBe(1);
    expect(samples.get('millrace_derivations{state="active"}')).toBeGreaterThan(10);
    expect(samples.get('millrace_drift_keys')).toBe(0);
    expect(samples.get('millrace_jobs{state="dead"}')).toBe(0);
    expect(samples.get('millrace_alert_firing{rule="staleness"}')).toBe(0);
    expect(samples.get('millrace_tickers')).toBe(0);
    expect(samples.get('millrace_database_connections{state="max"}')).toBeGreaterThan(10);
    await db.pool.query('select millrace.drain()');
    const later = await until(
      scrape,
      (them) => them.get('millrace_pending_rows{source="app_public.account"}') === 0,
    );
    expect(later.get('millrace_runs_total')).toBeGreaterThan(samples.get('millrace_runs_total')!);
  });

  test('is for this machine, or for who brings the token', async () => {
    const proxied = await fetch(`${server.url}/metrics`, {
      headers: { 'x-forwarded-for': '127.0.0.1' },
    });
    expect(proxied.status).toBe(403);
    expect((await fetch(`${server.url}/metrics`, { method: 'POST' })).status).toBe(405);
    const guarded = await startServer({ ...options(), metricsToken: 'a token' });
    const ask = async (authorization?: string) =>
      (
        await fetch(`${guarded.url}/metrics`, {
          headers: authorization === undefined ? {} : { authorization },
        })
      ).status;
    expect(await ask()).toBe(401);
    expect(await ask('Bearer another')).toBe(401);
    expect(await ask('Bearer a token')).toBe(200);
    await guarded.stop();
  });
});

describe('npm run worker', () => {
  test('has metrics on a port of its own: ticks, and what the database says', async () => {
    const worker = runScript('worker', {
      DATABASE_URL: db.connectionString,
      METRICS_PORT: '0',
      LOG_LEVEL: 'info',
    });
    try {
      const [, url] = await worker.printed(/"url":"(http:[^"]*)\/metrics"/);
      // What the database says is asked at most once in some seconds, and may be from before.
      const samples = await until(
        () => scrape({ url: url! } as ApiServer),
        (them) =>
          (them.get('millrace_ticks_total') ?? 0) > 1 &&
          them.get('millrace_tickers') === 1 &&
          them.get('millrace_worker_hosts') === 1,
      );
      expect(samples.get('millrace_tick_seconds_total')).toBeGreaterThan(0);
      expect((await fetch(`${url}/healthz`)).status).toBe(200);
      expect((await fetch(`${url}/graphql`)).status).toBe(404);
    } finally {
      worker.child.kill('SIGTERM');
    }
    expect(await worker.ended).toBe(0);
  });
});

describe('names of operations', () => {
  test('come from the request, or from the document', () => {
    expect(operationName('query A { a }', 'B')).toBe('B');
    expect(operationName('# query C\n  mutation D($a: Int) { a }', null)).toBe('D');
    expect(operationName('{ a }', undefined)).toBeNull();
    expect(operationName('fragment F on Query { a } query E { a }', null)).toBeNull();
    expect(operationName({ a: 1 }, 7)).toBeNull();
  });

  test('are bounded: made-up ones push out nobody who is there', () => {
    let time = 0;
    const left: string[] = [];
    const label = makeOperationNames({
      places: 3,
      idle: 100,
      now: () => time,
      onLeft: (name) => left.push(name),
    });
    expect(['A', 'B', 'C', 'D', null, 'no name'].map((name) => label(name))).toEqual([
      'A',
      'B',
      'C',
      '(other)',
      '(unnamed)',
      '(other)',
    ]);
    time = 60;
    expect(label('A')).toBe('A');
    time = 120;
    expect(label('D')).toBe('D');
    expect(left).toEqual(['B']);
    expect(label('A')).toBe('A');
    expect(label('E')).toBe('E');
    expect(left).toEqual(['B', 'C']);
    expect(label('B')).toBe('(other)');
  });
});

describe('a host writes down what it measured', () => {
  test('with its last report when it stops: requests, faults, pools, slow statements', async () => {
    const host = await startServer(options());
    for (let round = 0; round < 4; round += 1) {
      await query('query Counted { conversations(first: 1) { nodes { id } } }', host);
    }
    // Slow by a function that is only slow here.
    await db.pool.query(`
      create or replace function app_public.conversation_last_reacted_at(
        conversation app_public.conversation) returns timestamptz language plpgsql stable as $$
        begin perform pg_sleep(0.06); return now(); end $$;
      with author as (insert into app_public.account (display_name) values ('A') returning id)
      insert into app_public.conversation (owner_id, topic) select id, 'T' from author`);
    for (let round = 0; round < 2; round += 1) {
      await query('query Slow { conversations(first: 1) { nodes { lastReactedAt } } }', host);
    }
    await host.stop();
    const rows = await db.asOperator(async (client) => ({
      hosts: (await client.query('select * from app_operator.host order by requests desc')).rows,
      operations: (await client.query('select * from app_operator.operation')).rows,
      slow: (await client.query('select * from app_operator.slow_statement')).rows,
    }));
    expect(rows.hosts[0]).toMatchObject({ requests: 6, errors: 0, pool_size: 6 });
    expect(rows.hosts[0].statement_p95_ms).toBeGreaterThan(50);
    expect(rows.hosts[0].memory_bytes).toMatch(/^\d{8,}$/);
    expect(rows.operations).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ name: 'Slow', requests: '2', errors: '0' }),
        expect.objectContaining({ name: 'Counted', requests: '4', errors: '0' }),
      ]),
    );
    const [first, second] = rows.operations;
    expect(first.total_ms).toBeGreaterThanOrEqual(second.total_ms);
    expect(rows.slow).toHaveLength(1);
    expect(rows.slow[0]).toMatchObject({ operation: 'Slow', calls: '2', plans: '1' });
    expect(rows.slow[0].plan_hash).toMatch(/^[0-9a-f]{16}$/);
    expect(rows.slow[0].plan).toMatch(/on conversation/);
    expect(rows.slow[0].statement).toMatch(/conversation_last_reacted_at/);
    expect(Number(rows.slow[0].mean_ms)).toBeGreaterThan(50);
  });
});
