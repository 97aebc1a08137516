import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadPersistedOperations } from '../../scripts/lib/api-persisted.ts';
import { ConfigError, loadConfig } from '../../scripts/lib/config.ts';
import { issueToken, tokenKey } from '../../scripts/lib/jwt.ts';
import { addressOf, doorsIn } from '../../scripts/lib/rate-limit.ts';
import { type ApiServer, startServer } from '../../scripts/lib/server.ts';
import { startTestApi, type TestApi } from '../api/test-api.ts';
import { createTestDatabase } from '../lib/database.ts';
import { runScript } from './process.ts';

/* What stands before the API: headers, rate limits, registered operations; and what logs keep. */

const post = (url: string, body: unknown, headers: Record<string, string> = {}) =>
  fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json', ...headers },
    body: JSON.stringify(body),
  });

const READ = { query: '{ conversations { nodes { id } } }' };

describe('security headers', () => {
  let api: TestApi;
  let withOperator: ApiServer;

  beforeAll(async () => {
    api = await startTestApi();
    withOperator = await startServer({
      connectionString: api.db.apiConnectionString,
      operatorConnectionString: api.db.operatorConnectionString,
      key: api.key,
      host: '127.0.0.1',
      port: 0,
      development: true,
      poolSize: 1,
    });
  });
  afterAll(async () => {
    await withOperator.stop();
    await api.stop();
  });

  test('an answer may not be run, framed, sniffed or taken for a page', async () => {
    for (const response of [
      await post(api.server.url, READ),
      await fetch(`${api.server.url}/healthz`),
      await fetch(`${api.server.url}/nowhere`),
    ]) {
      expect(response.headers.get('content-security-policy')).toBe(
        "default-src 'none';base-uri 'none';form-action 'none';frame-ancestors 'none'",
      );
      expect(response.headers.get('x-content-type-options')).toBe('nosniff');
      expect(response.headers.get('x-frame-options')).toBe('SAMEORIGIN');
      expect(response.headers.get('referrer-policy')).toBe('no-referrer');
      expect(response.headers.get('x-powered-by')).toBeNull();
    }
  });

  test('the page of an analysis keeps its own policy', async () => {
    const response = await fetch(`${api.server.url}/analysis/0`);
    expect(response.headers.get('content-security-policy')).toMatch(/style-src 'sha256-/);
  });

  test.each(['/', '/operator'])('Ruru at %s works under its policy, in a browser', async (path) => {
    const policy = (await fetch(`${withOperator.url}${path}`)).headers.get(
      'content-security-policy',
    );
    expect(policy).toMatch(/default-src 'none'/);
    // The server is in this process: it has to be able to answer meanwhile.
    const browser = await promisify(execFile)(
      process.env.CHROMIUM_PATH ?? 'chromium',
      [
        '--headless',
        '--no-sandbox',
        '--disable-gpu',
        '--enable-logging=stderr',
        '--virtual-time-budget=8000',
        '--dump-dom',
        `${withOperator.url}${path}`,
      ],
      { timeout: 60_000, maxBuffer: 20_000_000 },
    );
    expect(browser.stderr).not.toMatch(/Content Security Policy/);
    // The editor itself, which only its scripts make.
    expect(browser.stdout).toMatch(/graphiql-container/);
  });
});

describe('rate limits', () => {
  let api: TestApi;
  let other: ApiServer;
  let proxied: ApiServer;

  beforeAll(async () => {
    const rateLimits = { account: 4, address: 3, door: 3 };
    api = await startTestApi({ poolSize: 2, server: { rateLimits } });
    const options = {
      connectionString: api.db.apiConnectionString,
      key: api.key,
      host: '127.0.0.1',
      port: 0,
      development: false,
      poolSize: 2,
      rateLimits,
    };
    other = await startServer(options);
    proxied = await startServer({ ...options, trustProxy: 1 });
  });
  afterAll(async () => {
    await other.stop();
    await proxied.stop();
    await api.stop();
  });

  const statuses = async (count: number, ask: (index: number) => Promise<Response>) => {
    const seen: number[] = [];
    for (let i = 0; i < count; i += 1) seen.push((await ask(i)).status);
    return seen;
  };

  test('an address, an account, and each by itself', async () => {
    expect(await statuses(4, () => post(api.server.url, READ))).toEqual([200, 200, 200, 429]);
    const refused = await post(api.server.url, READ);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(Number(refused.headers.get('retry-after'))).toBeLessThanOrEqual(60);
    const { errors } = (await refused.json()) as { errors: { extensions: object }[] };
    expect(errors[0]!.extensions).toMatchObject({ code: 'OP005' });
    for (const name of ['Ada', 'Bob']) {
      const authorization = await api.as(await api.account(name));
      expect(await statuses(5, () => post(api.server.url, READ, { authorization }))).toEqual([
        200, 200, 200, 200, 429,
      ]);
    }
    expect(api.server.rateLimitStatistics()).toContainEqual({
      limit: 'address',
      counted: 5,
      refused: 2,
    });
  });

  test('the page of an analysis is counted for whom it is for, not for the host that asks itself', async () => {
    const page = (id: number, from: string) =>
      fetch(`${proxied.url}/analysis/${id}`, { headers: { 'x-forwarded-for': from } });
    expect(await statuses(4, (id) => page(1_000 + id, '203.0.113.7'))).toEqual([
      404, 404, 404, 429,
    ]);
    const refused = await page(2_000, '203.0.113.7');
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await refused.text()).toMatch(/too many requests/);
    expect((await page(3_000, '203.0.113.8')).status).toBe(404);
    // Who says so without the word of the host is who they are.
    const forged = { 'x-millrace-own': 'x', 'x-millrace-for': '203.0.113.9' };
    const asked = await statuses(4, () =>
      post(proxied.url, READ, { ...forged, 'x-forwarded-for': '203.0.113.10' }),
    );
    expect(asked.at(-1)).toBe(429);
  });

  test('a header of the client moves nobody to another address, one of our proxy does', async () => {
    const spoofed = (server: ApiServer, index: number) =>
      post(server.url, READ, { 'x-forwarded-for': `198.51.100.${index}` });
    expect(await statuses(4, (i) => spoofed(other, i))).toEqual([200, 200, 200, 429]);
    expect(await statuses(4, (i) => spoofed(proxied, i))).toEqual([200, 200, 200, 200]);
    // The last one is the proxy's word, what stands before it anybody's.
    const behind = (index: number) =>
      post(proxied.url, READ, { 'x-forwarded-for': `10.0.0.${index}, 203.0.113.9` });
    expect(await statuses(4, behind)).toEqual([200, 200, 200, 429]);
  });

  test('a door is counted for all hosts together', async () => {
    const guest = (server: ApiServer) =>
      fetch(`${server.url}/auth/guest`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
      });
    expect((await guest(api.server)).status).toBe(200);
    expect((await guest(other)).status).toBe(200);
    expect((await guest(api.server)).status).toBe(200);
    for (const server of [api.server, other]) {
      const refused = await guest(server);
      expect(refused.status).toBe(429);
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(await refused.json()).toMatchObject({ code: 'OP005' });
    }
    const { rows } = await api.db.pool.query('select key, points from app_private.rate_limit');
    expect(rows).toEqual([{ key: 'door:127.0.0.1', points: 5 }]);
    await api.db.pool.query(
      "update app_private.rate_limit set expires_at = now() - interval '1 s'",
    );
    const { rows: gone } = await api.db.pool.query('select app_private.clear_rate_limits() as n');
    expect(gone).toEqual([{ n: '1' }]);
  });

  test('when the database cannot count, doors are counted in memory', async () => {
    const server = await startServer({
      connectionString: api.db.apiConnectionString,
      key: api.key,
      host: '127.0.0.1',
      port: 0,
      development: false,
      poolSize: 2,
      rateLimits: { account: 0, address: 0, door: 2 },
    });
    await api.db.pool.query('alter table app_private.rate_limit rename to elsewhere');
    try {
      const guest = () =>
        fetch(`${server.url}/auth/guest`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
        });
      expect(await statuses(3, guest)).toEqual([200, 200, 429]);
    } finally {
      await api.db.pool.query('alter table app_private.elsewhere rename to rate_limit');
      await server.stop();
    }
  });

  test('doors are found wherever they stand in a document', () => {
    expect(doorsIn('{ conversations { nodes { id } } }')).toBe(0);
    expect(doorsIn('mutation { signIn(input: {}) { token } }')).toBe(1);
    expect(doorsIn('mutation { a: signIn { x } b: requestNonce { y } }')).toBe(2);
    expect(
      doorsIn('mutation { ...f } fragment f on Mutation { ... on Mutation { signIn { x } } }'),
    ).toBe(1);
    expect(doorsIn('mutation { signIn(')).toBe(0);
  });

  test('addresses: the peer, or the word of so many proxies; networks of IPv6', () => {
    const request = (remoteAddress: string, forwarded?: string) =>
      ({ socket: { remoteAddress }, headers: { 'x-forwarded-for': forwarded } }) as never;
    expect(addressOf(request('::ffff:192.0.2.1', '198.51.100.1'), 0)).toBe('192.0.2.1');
    expect(addressOf(request('10.0.0.1', '1.1.1.1, 2.2.2.2, 3.3.3.3'), 2)).toBe('2.2.2.2');
    expect(addressOf(request('10.0.0.1'), 1)).toBe('10.0.0.1');
    expect(addressOf(request('10.0.0.1', '2.2.2.2'), 3)).toBe('10.0.0.1');
    expect(addressOf(request('2001:db8:0:7:1:2:3:4'), 0)).toBe('2001:db8:0:7::/64');
    expect(addressOf(request('2001:db8:0:7::9'), 0)).toBe('2001:db8:0:7::/64');
    expect(addressOf(request('2001:0db8::9'), 0)).toBe('2001:db8:0:0::/64');
    expect(addressOf(request('x'.repeat(5_000)), 0)).toHaveLength(64);
  });

  test('settings that are none are errors', () => {
    expect(loadConfig({}).server.rateLimits).toEqual({ account: 1_200, address: 2_400, door: 20 });
    expect(() => loadConfig({ RATE_LIMIT_DOOR: '-1' })).toThrow(ConfigError);
    expect(() => loadConfig({ TRUST_PROXY: 'yes' })).toThrow(/TRUST_PROXY must be a whole number/);
    expect(() => loadConfig({ REDIS_URL: 'localhost:6379' })).toThrow(/REDIS_URL must be a URL/);
  });
});

describe('persisted operations', () => {
  let folder: string;
  let api: TestApi;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-operations-'));
    await writeFile(join(folder, 'topics.graphql'), '{ conversations { nodes { topic } } }\n');
    await writeFile(join(folder, 'README.md'), 'not one of them');
    api = await startTestApi({ server: { persistedOperations: folder, cacheMegabytes: 1 } });
  });
  afterAll(async () => {
    await api.stop();
    await rm(folder, { recursive: true });
  });

  const ask = async (body: object) => {
    const response = await post(api.server.url, body);
    const { data, errors } = (await response.json()) as {
      data?: unknown;
      errors?: { extensions: { code: string } }[];
    };
    return [response.status, errors?.[0]?.extensions.code ?? data];
  };

  test('run by their id, and nothing else does', async () => {
    const sha256Hash = [...(await loadPersistedOperations(folder)).keys()].find(
      (it) => it.length === 64,
    );
    const topics = [200, { conversations: { nodes: [] } }];
    expect(await ask({ documentId: 'topics' })).toEqual(topics);
    expect(await ask({ documentId: `sha256:${sha256Hash}` })).toEqual(topics);
    expect(await ask({ id: 'topics' })).toEqual(topics);
    expect(await ask({ extensions: { persistedQuery: { version: 1, sha256Hash } } })).toEqual(
      topics,
    );
    // A text beside the id has no effect.
    expect(await ask({ documentId: 'topics', query: 'mutation { nothing }' })).toEqual(topics);
    for (const body of [
      READ,
      {},
      { documentId: 'README' },
      { documentId: '../topics' },
      { documentId: '__proto__' },
      { id: 'constructor', query: READ.query },
      { id: 7 },
      { extensions: { persistedQuery: { sha256Hash: sha256Hash?.replace(/.$/, '!') } } },
    ]) {
      expect(await ask(body), JSON.stringify(body)).toEqual([400, 'OP003']);
    }
  });

  test('the page of an analysis needs no registration', async () => {
    const response = await fetch(`${api.server.url}/analysis/1`);
    expect(response.status).toBe(404);
    expect(await response.text()).toMatch(/There is no such conversation/);
  });

  test('a folder that has none, or one with a mistake, is an error at the start', async () => {
    await expect(loadPersistedOperations(join(folder, 'nowhere'))).rejects.toThrow(
      /cannot be read/,
    );
    const bad = await mkdtemp(join(tmpdir(), 'millrace-operations-'));
    await expect(loadPersistedOperations(bad)).rejects.toThrow(/has no file/);
    await writeFile(join(bad, 'bad.graphql'), '{ conversations {');
    await expect(loadPersistedOperations(bad)).rejects.toThrow(/bad\.graphql: Syntax Error/);
    await rm(bad, { recursive: true });
  });
});

test('no secret is in the logs, of whatever level', async () => {
  const db = await createTestDatabase();
  const secret = 'canary-secret-of-the-tokens-0123456789-abcdefghijklmnop';
  const url = new URL(db.apiConnectionString);
  // Where the server trusts everybody, any password opens.
  if (url.password === '') url.password = 'canary-database-password';
  const password = decodeURIComponent(url.password);
  const script = runScript('serve', {
    API_DATABASE_URL: url.href,
    REDIS_URL: 'redis://:canary-redis-password@127.0.0.1:1/0',
    JWT_SECRET: secret,
    PORT: '0',
    LOG_LEVEL: 'trace',
    DEBUG: '*',
    NODE_ENV: 'production',
  });
  try {
    const [, origin] = await script.printed(/"url":"(http:[^"]+)\/graphql"/);
    const token = await issueToken(tokenKey(secret), {
      accountId: '1',
      role: 'account',
      lifetime: 60,
    });
    const variables = { password: 'canary-variable' };
    for (const [body, authorization] of [
      [READ, `Bearer ${token}`],
      [READ, `Bearer ${token}x`],
      [{ ...READ, variables }, 'Basic canary-basic'],
      [
        {
          query:
            'mutation { castVote(input: { opinionId: 1, choice: agree }) { result { choice } } }',
        },
        `Bearer ${token}`,
      ],
      [{ query: '{ conversation(id: "canary-text") { id } }', variables }, `Bearer ${token}`],
      [{ query: 7, variables }, `Bearer ${token}`],
    ] as const) {
      await (await post(origin!, body, { authorization, cookie: 'canary-cookie' })).text();
    }
    script.child.kill('SIGTERM');
    await script.ended;
    const output = script.output();
    expect(output.length).toBeGreaterThan(1_000);
    for (const word of [secret, password, token, 'canary-']) {
      expect(output.includes(word), word).toBe(false);
    }
  } finally {
    script.child.kill('SIGKILL');
    await script.ended;
    await db.drop();
  }
});
