import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startWireProxy } from '../../scripts/bench/wire-proxy.ts';
import { startAnnouncements } from '../../scripts/lib/announcements.ts';
import { issueToken, tokenKey } from '../../scripts/lib/jwt.ts';
import { type OperatorEndpoint, startOperator } from '../../scripts/lib/operator.ts';
import { issueOperatorToken, verifyOperator } from '../../scripts/lib/operator-token.ts';
import { startWorker } from '../../scripts/lib/worker.ts';
import { runScript } from '../host/process.ts';
import { until } from '../host/until.ts';
import {
  backendPid,
  createTestDatabase,
  expectSqlState,
  type TestDatabase,
  waitUntilBlocked,
} from '../lib/database.ts';

const key = tokenKey('a secret of this test, long enough for every algorithm of the family');

let db: TestDatabase;
let operator: OperatorEndpoint;
let server: Server;
let url: string;
let token: string;

beforeAll(async () => {
  db = await createTestDatabase();
  // Says that it only reads, and does not.
  await db.pool.query(`
    create function app_private.sly() returns boolean language plpgsql volatile
      set search_path to '' as $$
      begin delete from app_operator.webhook; return true; end $$;
    create function app_operator.sly() returns boolean language plpgsql stable security definer
      set search_path to '' as $$ begin return app_private.sly(); end $$;
    grant execute on function app_operator.sly() to app_operator`);
  operator = await startOperator({
    connectionString: db.operatorConnectionString,
    key,
    development: false,
  });
  server = createServer((request, response) => {
    if (!operator.handle(request, response)) response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/operator/graphql`;
  token = await issueOperatorToken(key, { name: 'test' });
});

afterAll(async () => {
  await operator.stop();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await db.drop();
});

interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: what a test asked for is what it gets.
  data: any;
  errors?: { message: string; extensions?: Record<string, unknown> }[];
}

async function ask(text: string, authorization: string | null = `Bearer ${token}`) {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json',
      ...(authorization !== null && { authorization }),
    },
    body: JSON.stringify({ query: text }),
  });
  const challenge = response.headers.get('www-authenticate');
  const body = (await response.json()) as Omit<Answer, 'status'>;
  return { status: response.status, challenge, ...body };
}

/** The data of an answer without errors. */
async function data(text: string): Promise<Answer['data']> {
  const { errors, data: result } = await ask(text);
  expect(errors).toBeUndefined();
  return result;
}

const QUERIES = [
  'alert',
  'alertDeliveries',
  'alertDelivery',
  'alertRule',
  'alertRules',
  'alerts',
  'cacheHits',
  'connections',
  'derivations',
  'drifts',
  'hosts',
  'indexAdvices',
  'jobs',
  'lockWaits',
  'operations',
  'partitionings',
  'partitions',
  'relationSizes',
  'replications',
  'runs',
  'searchTelemetry',
  'securityFindings',
  'serverOverview',
  'slowStatements',
  'slowestStatements',
  'telemetryDays',
  'telemetryEvents',
  'webhook',
  'webhooks',
];
const MUTATIONS = [
  'addWebhook',
  'clearCache',
  'optimize',
  'pause',
  'reconcile',
  'removeWebhook',
  'resetStatistics',
  'resume',
  'retryDelivery',
  'runNow',
  'setAlertRule',
];

describe('who may ask', () => {
  const wrong: [string, () => Promise<string | null>][] = [
    ['nobody', () => Promise.resolve(null)],
    [
      'an account',
      async () =>
        `Bearer ${await issueToken(key, { accountId: '1', role: 'moderator', lifetime: 60 })}`,
    ],
    [
      'a token that has expired',
      async () => `Bearer ${await issueOperatorToken(key, { name: 'x', lifetime: -60 })}`,
    ],
    [
      'a token by another key',
      async () => `Bearer ${await issueOperatorToken(tokenKey('y'.repeat(40)), { name: 'x' })}`,
    ],
    [
      'a token without end',
      async () =>
        `Bearer ${await new SignJWT().setProtectedHeader({ alg: 'HS256' }).setIssuer('millrace').setAudience('millrace-operator').setSubject('x').sign(key)}`,
    ],
    [
      'an unsigned token',
      async () =>
        `Bearer ${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from('{"iss":"millrace","aud":"millrace-operator","sub":"x","exp":9999999999}').toString('base64url')}.`,
    ],
    ['a long text', async () => `Bearer ${'a'.repeat(5_000)}`],
  ];

  test.for(wrong)('not %s', async ([, make]) => {
    const { status, challenge, errors } = await ask('{ serverOverview { version } }', await make());
    expect({ status, challenge }).toEqual({ status: 401, challenge: 'Bearer' });
    expect(errors?.[0]?.extensions?.code).toBe('UNAUTHENTICATED');
  });

  test('an operator, by name', async () => {
    expect(await verifyOperator(key, `Bearer ${token}`)).toBe('test');
    expect((await data('{ serverOverview { version } }')).serverOverview.version).toMatch(/^\d+\./);
  });

  test('with a token of npm run operator-token', async () => {
    const secret = 'a secret of this test, long enough for every algorithm of the family';
    const command = runScript('operator-token', { JWT_SECRET: secret }, ['somebody', '--json']);
    expect(await command.ended).toBe(0);
    const made = JSON.parse(command.output()) as { token: string; expiresAt: string };
    expect(await verifyOperator(key, `Bearer ${made.token}`)).toBe('somebody');
    expect(Date.parse(made.expiresAt)).toBeGreaterThan(Date.now());
    expect((await ask('{ __typename }', `Bearer ${made.token}`)).status).toBe(200);
    const wrong = runScript('operator-token', { JWT_SECRET: secret }, ['--lifetime', '0']);
    expect(await wrong.ended).not.toBe(0);
  });

  test('no role of the public API, whatever it calls', async () => {
    for (const act of [db.asAnonymous, (work: never) => db.asModerator(1, work)]) {
      for (const sql of [
        'select * from app_operator.connection',
        "select app_operator.pause('x')",
        'select * from app_operator.alert_rule',
      ]) {
        await expectSqlState(
          (act as typeof db.asAnonymous)((client) => client.query(sql)),
          '42501',
        );
      }
    }
    const { rows } = await db.pool.query(
      "select pg_has_role('app_authenticator', 'app_operator', 'member') as may",
    );
    expect(rows).toEqual([{ may: false }]);
  });

  test('a query changes nothing, whatever it calls', async () => {
    const { errors } = await ask('{ sly }');
    expect(errors?.[0]?.extensions?.code).toBe('READ_ONLY');
    await expectSqlState(
      db.asOperator((client) => client.query('delete from app_operator.alert_rule')),
      '42501',
    );
  });
});

test('a database that is away is 503', async () => {
  const proxy = await startWireProxy(db.operatorConnectionString);
  const distant = await startOperator({
    connectionString: proxy.connectionString,
    key,
    development: false,
  });
  const own = createServer((request, response) => void distant.handle(request, response));
  await new Promise<void>((resolve) => own.listen(0, '127.0.0.1', resolve));
  try {
    await proxy.close();
    const answer = await until(
      async () => {
        const response = await fetch(
          `http://127.0.0.1:${(own.address() as AddressInfo).port}/operator/graphql`,
          {
            method: 'POST',
            headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
            body: JSON.stringify({ query: '{ serverOverview { version } }' }),
          },
        );
        return {
          status: response.status,
          again: response.headers.get('retry-after'),
          ...((await response.json()) as Pick<Answer, 'errors'>),
        };
      },
      ({ status }) => status === 503,
    );
    expect(answer.again).toBe('2');
    expect(answer.errors?.[0]?.extensions?.code).toBe('OP016');
  } finally {
    await distant.stop();
    own.closeAllConnections();
    await new Promise((resolve) => own.close(resolve));
  }
});

test('what there is to ask', async () => {
  const { __schema } = await data(`{ __schema {
    queryType { fields { name } } mutationType { fields { name } } } }`);
  const names = (fields: { name: string }[]) => fields.map(({ name }) => name).sort();
  expect(names(__schema.mutationType.fields)).toEqual(MUTATIONS);
  const own = names(__schema.queryType.fields).filter(
    (name) => !/By[A-Z]|^(query|node|nodeId|sly)$/.test(name),
  );
  expect(own).toEqual(QUERIES);
});

describe('what the server does', () => {
  test('at a glance, and what is missing to see all of it', async () => {
    const overview = `{ serverOverview { connections maxConnections databaseSize cacheHitPercent
      transactionIdAge seesEverything hasStatementStatistics missing } }`;
    const { serverOverview } = await data(overview);
    expect(serverOverview.connections).toBeGreaterThan(0);
    expect(Number(serverOverview.databaseSize)).toBeGreaterThan(1e6);
    expect(serverOverview.cacheHitPercent).toBeGreaterThan(0);
    // Seen by the role itself when it has lost its rights.
    const admin = await db.connect();
    await admin.query('set role none');
    await admin.query('begin; revoke pg_monitor from app_operator; set local role app_operator');
    const { rows } = await admin.query('select * from app_operator.server_overview()');
    expect(rows[0].sees_everything).toBe(false);
    expect(rows[0].missing[0]).toMatch(/grant pg_monitor to app_operator/);
    // The views answer all the same.
    await admin.query(
      'select * from app_operator.connection; select * from app_operator.lock_wait',
    );
    await admin.query('rollback');
  });

  test('statements: says how it would know them, where it does not', async () => {
    const { errors } = await ask('{ slowestStatements { nodes { statement } } }');
    if (errors === undefined) {
      expect((await data('{ serverOverview { hasStatementStatistics } }')).serverOverview).toEqual({
        hasStatementStatistics: true,
      });
    } else {
      expect(errors[0]).toMatchObject({
        message: 'pg_stat_statements is not there',
        extensions: { code: 'OP021', hint: expect.stringMatching(/shared_preload_libraries/) },
      });
    }
  });

  test('connections by state, who waits for a lock, and for whom', async () => {
    const holder = await db.connect();
    const waiter = await db.connect();
    await holder.query("set application_name to 'the holder'");
    await waiter.query("set application_name to 'the waiter'");
    await holder.query('begin; lock table app_private.index_use in access exclusive mode');
    const waiting = waiter.query('select count(*) from app_private.index_use');
    await waitUntilBlocked(db.pool, await pidOf('the waiter'));
    const { connections, lockWaits } = await data(`{
      connections { nodes { application state waitEventType connections longestTransactionSeconds } }
      lockWaits { nodes { waitingApplication waitingStatement lockKind lockMode tableName
        holdingProcess holdingApplication holdingState holderWaitsToo waitingSeconds } }
    }`);
    await holder.query('rollback');
    await waiting;
    expect(connections.nodes).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          application: 'the holder',
          state: 'idle in transaction',
          connections: '1',
          longestTransactionSeconds: expect.any(Number),
        }),
        expect.objectContaining({
          application: 'the waiter',
          state: 'active',
          waitEventType: 'Lock',
        }),
      ]),
    );
    expect(lockWaits.nodes).toMatchObject([
      {
        waitingApplication: 'the waiter',
        waitingStatement: 'select count(*) from app_private.index_use',
        lockKind: 'relation',
        lockMode: 'AccessShareLock',
        tableName: 'app_private.index_use',
        holdingProcess: await backendPid(holder),
        holdingApplication: 'the holder',
        holdingState: 'idle in transaction',
        holderWaitsToo: false,
      },
    ]);

    async function pidOf(name: string): Promise<number> {
      const { rows } = await until(
        () =>
          db.pool.query<{ pid: number }>(
            'select pid from pg_stat_activity where application_name = $1',
            [name],
          ),
        (it) => it.rows.length === 1,
      );
      return rows[0]!.pid;
    }
  });

  test('sizes, with an estimate of bloat that knows a full table from a hollow one', async () => {
    const client = await db.connect();
    for (const name of ['full', 'hollow']) {
      await client.query(`
        create table app_private.${name}_table (id bigint primary key, text text)
          with (autovacuum_enabled = false);
        insert into app_private.${name}_table select n, repeat('x', 80)
        from generate_series(1, 20000) n`);
    }
    await client.query('delete from app_private.hollow_table where id % 10 <> 0');
    // The rows before the last ones stay where they are: the pages remain.
    for (const name of ['full', 'hollow']) await client.query(`vacuum app_private.${name}_table`);
    await client.query('reindex table app_private.full_table');
    for (const name of ['full', 'hollow']) await client.query(`analyze app_private.${name}_table`);
    const { relationSizes } = await data(
      '{ relationSizes(first: 100) { nodes { tableName tableBytes indexBytes tableBloatBytes indexBloatBytes estimatedRows } } }',
    );
    const of = (name: string) => {
      const node = relationSizes.nodes.find(
        (it: { tableName: string }) => it.tableName === `app_private.${name}_table`,
      );
      return {
        rows: Number(node.estimatedRows),
        table: Number(node.tableBloatBytes) / Number(node.tableBytes),
        index: Number(node.indexBloatBytes) / Number(node.indexBytes),
      };
    };
    expect(of('full').rows).toBe(20_000);
    expect(of('full').table).toBeLessThan(0.1);
    expect(of('full').index).toBeLessThan(0.2);
    expect(of('hollow').rows).toBe(2_000);
    expect(of('hollow').table).toBeGreaterThan(0.8);
    expect(of('hollow').index).toBeGreaterThan(0.7);
    await client.query('drop table app_private.full_table, app_private.hollow_table');
  });

  test('advice on indexes: missing, unused, duplicate, invalid', async () => {
    const admin = await db.connect();
    await db.pool.query(`
      create table app_private.advised (
        id int primary key, parent int references app_private.advised (id), at timestamptz, a int);
      create index advised_at_idx on app_private.advised (at);
      create index advised_at_a_idx on app_private.advised (at, a);
      create index advised_partial_idx on app_private.advised (at) where a > 0;
      create index advised_broken_idx on app_private.advised (a);
      insert into app_private.index_use (index_id, scans, since) values
        ('app_private.advised_partial_idx'::regclass, 0, now() - interval '8 days'),
        ('app_private.advised_pkey'::regclass, 0, now() - interval '8 days')`);
    await admin.query('set role none');
    await admin.query(
      "update pg_index set indisvalid = false where indexrelid = 'app_private.advised_broken_idx'::regclass",
    );
    const { indexAdvices } = await data(
      '{ indexAdvices(first: 100) { nodes { kind tableName indexName reason statement } } }',
    );
    // Of the tables of the project itself there is nothing to drop.
    expect(
      indexAdvices.nodes.filter(
        (it: { kind: string; tableName: string }) =>
          it.kind === 'duplicate' && it.tableName !== 'app_private.advised',
      ),
    ).toEqual([]);
    const own = indexAdvices.nodes.filter(
      (it: { tableName: string }) => it.tableName === 'app_private.advised',
    );
    expect(own.map((it: Record<string, string>) => [it.kind, it.indexName])).toEqual([
      ['duplicate', 'advised_at_idx'],
      ['invalid', 'advised_broken_idx'],
      ['missing', null],
      ['unused', 'advised_partial_idx'],
    ]);
    expect(own[2].reason).toMatch(/foreign key advised_parent_fkey/);
    expect(own[2].statement).toBe('create index concurrently on app_private.advised (parent)');
    await db.pool.query('drop table app_private.advised');
  });

  test('partitions and slots', async () => {
    const admin = await db.connect();
    await db.pool.query(`
      create table app_private.event (at timestamptz) partition by range (at);
      create table app_private.event_old partition of app_private.event
        for values from ('2020-01-01') to ('2021-01-01');
      create table app_private.event_rest partition of app_private.event default`);
    const slot = `test_${process.pid}_${Date.now() % 1e6}`;
    await admin.query('set role none');
    await admin.query('select pg_create_physical_replication_slot($1, true)', [slot]);
    try {
      const { partitions, replications } = await data(`{
        partitions(first: 100) { nodes { tableName partitionName bounds isDefault } }
        replications(first: 100) { nodes { kind name state mode bytesBehind } }
      }`);
      expect(
        partitions.nodes.filter(
          (it: { tableName: string }) => it.tableName === 'app_private.event',
        ),
      ).toEqual([
        {
          tableName: 'app_private.event',
          partitionName: 'app_private.event_old',
          bounds: expect.stringMatching(/^FOR VALUES FROM/),
          isDefault: false,
        },
        {
          tableName: 'app_private.event',
          partitionName: 'app_private.event_rest',
          bounds: 'DEFAULT',
          isDefault: true,
        },
      ]);
      expect(replications.nodes.find((it: { name: string }) => it.name === slot)).toMatchObject({
        kind: 'slot',
        state: 'inactive',
        mode: 'physical, reserved',
        bytesBehind: expect.stringMatching(/^\d+$/),
      });
    } finally {
      await admin.query('select pg_drop_replication_slot($1)', [slot]);
      await db.pool.query('drop table app_private.event');
    }
  });

  test('what clients report: by day, event by event, and by what it says', async () => {
    const { rows } = await db.pool.query<{ id: string; day: string }>(
      `insert into app_public.account (display_name) values ('Ada')
       returning id, (now() at time zone 'UTC')::date::text as day`,
    );
    const { id, day } = rows[0]!;
    await db.asAccount(
      id,
      (client) =>
        client.query('select app_public.ingest_telemetry($1)', [
          JSON.stringify([
            { kind: 'view', payload: { path: '/' } },
            { kind: 'view', payload: { path: '/a' } },
            { kind: 'click' },
          ]),
        ]),
      { commit: true },
    );
    await db.pool.query('select millrace.drain()');
    const answer = await data(`{
      telemetryDays(since: "${day}", until: "${day}") { nodes { kind eventCount accountCount } }
      telemetryEvents(first: 1, since: "${day}", kind: "view") {
        nodes { accountId day payload } pageInfo { hasNextPage } }
      searchTelemetry(payload: { path: "/a" }, since: "${day}") { nodes { kind payload } }
    }`);
    expect(answer.telemetryDays.nodes).toEqual([
      { kind: 'click', eventCount: '1', accountCount: '1' },
      { kind: 'view', eventCount: '2', accountCount: '1' },
    ]);
    expect(answer.telemetryEvents).toMatchObject({
      nodes: [{ accountId: id, day, payload: expect.objectContaining({}) }],
      pageInfo: { hasNextPage: true },
    });
    expect(answer.searchTelemetry.nodes).toEqual([{ kind: 'view', payload: { path: '/a' } }]);
  });

  test('cache hit rates, derivations, runs', async () => {
    const { cacheHits, derivations, runs } = await data(`{
      cacheHits(first: 5) { nodes { kind tableName blocksHit hitPercent } }
      derivations(first: 100) { nodes { name kind state stalenessSeconds } }
      runs(first: 5) { nodes { id kind startedAt durationMs } }
    }`);
    expect(cacheHits.nodes.length).toBeGreaterThan(0);
    for (const { hitPercent } of cacheHits.nodes) {
      expect(Number(hitPercent)).toBeGreaterThanOrEqual(0);
      expect(Number(hitPercent)).toBeLessThanOrEqual(100);
    }
    expect(derivations.nodes).toContainEqual({
      name: 'app_public.conversation.vote_count',
      kind: 'counter',
      state: 'active',
      stalenessSeconds: 0,
    });
    const ids = runs.nodes.map(({ id }: { id: string }) => Number(id));
    expect(ids).toEqual([...ids].sort((a, b) => b - a));
    expect(ids.length).toBeGreaterThan(0);
  });
});

describe('actions', () => {
  const name = 'app_public.conversation.vote_count';
  const act = (field: string) => data(`mutation { ${field} }`);

  test('pause, resume, run now', async () => {
    const paused = await act(`pause(input: {name: "${name}"}) { result { name state } }`);
    expect(paused.pause.result).toEqual({ name, state: 'paused' });
    const { errors } = await ask(
      `mutation { runNow(input: {name: "${name}"}) { result { name } } }`,
    );
    expect(errors?.[0]?.extensions?.code).toBe('MR015');
    const resumed = await act(`resume(input: {name: "${name}"}) { result { state } }`);
    expect(resumed.resume.result.state).toBe('active');
    await db.pool.query("insert into app_public.account (display_name) values ('A')");
    const feed = 'app_public.feed_project';
    const run = await act(
      `runNow(input: {name: "${feed}"}) { result { pendingRows waitingKeys } }`,
    );
    expect(run.runNow.result).toEqual({ pendingRows: '0', waitingKeys: '0' });
    const unknown = await ask('mutation { pause(input: {name: "x"}) { result { name } } }');
    expect(unknown.errors?.[0]?.extensions).toMatchObject({ code: 'MR012' });
  });

  test('reconcile and optimize, by jobs', async () => {
    const { reconcile } = await act(
      `reconcile(input: {name: "${name}", repair: true}) { result { id task } }`,
    );
    expect(reconcile.result).toEqual({ id: expect.any(String), task: 'reconcile' });
    await db.pool.query(`
      create table app_private.stale_table (id int) with (autovacuum_enabled = false);
      insert into app_private.stale_table select generate_series(1, 100)`);
    const { optimize } = await act(
      'optimize(input: {tableName: "app_private.stale_table"}) { result { id tables } }',
    );
    expect(optimize.result.tables).toEqual(['app_private.stale_table']);
    const jobs = await data('{ jobs { nodes { task state } } }');
    expect(jobs.jobs.nodes.map(({ task }: { task: string }) => task).sort()).toEqual([
      'optimize',
      'reconcile',
    ]);
    const worker = await startWorker({ connectionString: db.connectionString, pollInterval: 20 });
    try {
      await until(
        () => data('{ jobs { nodes { task } } }'),
        (it) => it.jobs.nodes.length === 0,
      );
    } finally {
      await worker.stop();
    }
    const { derivations } = await data(
      '{ derivations(first: 100) { nodes { name lastReconciledAt } } }',
    );
    expect(
      derivations.nodes.find((it: { name: string }) => it.name === name).lastReconciledAt,
    ).not.toBeNull();
    const { rows } = await db.pool.query(
      `select reltuples from pg_class where oid = 'app_private.stale_table'::regclass`,
    );
    expect(rows).toEqual([{ reltuples: 100 }]);
    const refused = await ask(
      'mutation { optimize(input: {tableName: "pg_catalog.pg_class"}) { result { id } } }',
    );
    expect(refused.errors?.[0]?.extensions?.code).toBe('OP022');
    const unnamed = await ask(
      'mutation { optimize(input: {tableName: "x; drop table y"}) { result { id } } }',
    );
    expect(unnamed.errors?.[0]?.extensions?.code).toBe('OP022');
  });

  test('statistics are reset', async () => {
    await db.pool.query(`insert into app_private.slow_statement
      (statement_hash, plan_hash, statement, calls, total_ms, max_ms) values ('a', '', 's', 1, 1, 1)`);
    expect((await data('{ slowStatements { nodes { statement } } }')).slowStatements.nodes).toEqual(
      [{ statement: 's' }],
    );
    expect((await act('resetStatistics(input: {}) { result }')).resetStatistics.result).toBe(true);
    expect((await data('{ slowStatements { nodes { statement } } }')).slowStatements.nodes).toEqual(
      [],
    );
    const { rows } = await db.pool.query(
      "select stats_reset > now() - interval '1 minute' as fresh from pg_stat_database where datname = current_database()",
    );
    expect(rows).toEqual([{ fresh: true }]);
  });

  test('caches are cleared on every host', async () => {
    const announcements = startAnnouncements({ connectionString: db.apiConnectionString });
    let heard = 0;
    announcements.onAnnouncement((relation) => {
      if (relation === null) heard += 1;
    });
    // Once when it begins to listen.
    await until(
      () => heard,
      (count) => count === 1,
    );
    await act('clearCache(input: {}) { result }');
    await until(
      () => heard,
      (count) => count === 2,
    );
    await announcements.release();
  });

  test('a job queue of many states is shown by state, an unknown one refused', async () => {
    const { errors } = await ask('{ jobs(state: "sleeping") { nodes { id } } }');
    expect(errors?.[0]?.extensions?.code).toBe('OP024');
  });

  test('a webhook is added with a secret that is shown once', async () => {
    const { addWebhook } = await act(
      'addWebhook(input: {url: "https://example.org/alerts"}) { result { id secret } }',
    );
    expect(addWebhook.result.secret).toMatch(/^[0-9a-f]{64}$/);
    const { errors } = await ask('{ webhooks { nodes { url secret } } }');
    expect(errors?.[0]?.message).toMatch(/Cannot query field "secret"/);
    await act(`removeWebhook(input: {id: "${addWebhook.result.id}"}) { result }`);
    expect((await data('{ webhooks { nodes { url } } }')).webhooks.nodes).toEqual([]);
  });
});
