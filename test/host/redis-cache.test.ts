import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { log } from '../../scripts/lib/log.ts';
import { type ApiServer, startServer } from '../../scripts/lib/server.ts';
import { startTestApi, type TestApi } from '../api/test-api.ts';
import { type RedisServer, startRedis } from './redis.ts';
import { until } from './until.ts';

/* Two hosts that share a real Redis: answers, what is forgotten, and what happens without it. */

const FEED = '{ newestProjects { nodes { projectId title } } }';

let redis: RedisServer;
let api: TestApi;
let other: ApiServer;

beforeAll(async () => {
  redis = await startRedis();
  const shared = { cacheMegabytes: 8, redisUrl: redis.url, development: false };
  api = await startTestApi({ poolSize: 4, development: false, server: shared });
  other = await startServer({
    ...shared,
    connectionString: api.proxy.connectionString,
    key: api.key,
    host: '127.0.0.1',
    port: 0,
    poolSize: 4,
  });
  const owner = await api.account('Olga');
  await api.db.pool.query(
    "insert into app_public.project (owner_id, title, tagline) values ($1, 'Kites', 'In the wind')",
    [owner],
  );
  await ready();
  await rename('Kites');
});

afterAll(async () => {
  await other.stop();
  await api.stop();
  await redis.stop();
});

const hosts = () => [api.server, other];
const statistics = (server: ApiServer) => server.cacheStatistics()!;

const ready = () =>
  until(
    () => hosts().map(statistics),
    (all) => all.every(({ listening, redis: it }) => listening && it?.connected),
  );

async function ask(server: ApiServer): Promise<{ title: string; from: string | null }> {
  const response = await fetch(`${server.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: FEED }),
  });
  const { data } = (await response.json()) as {
    data: { newestProjects: { nodes: { title: string }[] } };
  };
  return {
    title: data.newestProjects.nodes[0]?.title ?? '',
    from: response.headers.get('cache-status'),
  };
}

/** Changes the feed, and waits until both hosts have heard of it. */
async function rename(title: string): Promise<void> {
  const before = hosts().map((server) => statistics(server).invalidations);
  await api.db.pool.query('update app_public.project set title = $1, tagline = $2', [
    title,
    `${performance.now()}`,
  ]);
  await api.db.pool.query('select millrace.drain()');
  await api.db.pool.query("select millrace.run_now('app_public.feed_project')");
  await until(
    () => hosts().map((server) => statistics(server).invalidations),
    (now) => now.every((count, index) => count > before[index]!),
  );
}

test('what one host has made the other takes', async () => {
  await until(
    async () => {
      await ask(api.server);
      await ask(other);
      return statistics(other).redis!.hits + statistics(api.server).redis!.hits;
    },
    (hits) => hits > 0,
  );
});

test('after an announcement neither takes what was made before', async () => {
  for (let round = 0; round < 20; round += 1) {
    const title = `Kites ${round}`;
    await rename(title);
    const answers = await Promise.all([ask(api.server), ask(other), ask(api.server), ask(other)]);
    expect(answers.map((answer) => answer.title)).toEqual([title, title, title, title]);
  }
});

test('clearing clears both', async () => {
  await ask(api.server);
  await ask(other);
  const before = statistics(other).clears;
  await api.server.clearCache();
  await until(
    () => statistics(other).clears,
    (clears) => clears > before,
  );
  expect(statistics(other).entries).toBe(0);
  expect(statistics(api.server).entries).toBe(0);
});

test('without Redis every host goes on by itself, and is right', async () => {
  const [warn, info] = [vi.spyOn(log, 'warn'), vi.spyOn(log, 'info')];
  const said = (spy: typeof warn, text: RegExp) =>
    spy.mock.calls.filter(([, message]) => text.test(String(message))).length;
  await redis.kill();
  await until(
    () => statistics(api.server).redis!.connected || statistics(other).redis!.connected,
    (connected) => !connected,
  );
  const measured = async () =>
    /^millrace_cache_redis_connected (\d)$/m.exec(
      await (await fetch(`${api.server.url}/metrics`)).text(),
    )?.[1];
  expect(await measured()).toBe('0');
  await rename('Alone');
  expect((await ask(api.server)).title).toBe('Alone');
  expect((await ask(api.server)).from).toBe('millrace; hit');
  expect((await ask(other)).title).toBe('Alone');
  await api.server.clearCache();

  await redis.restart();
  await ready();
  expect(await measured()).toBe('1');
  await rename('Together');
  expect((await ask(api.server)).title).toBe('Together');
  expect((await ask(other)).title).toBe('Together');
  // Two connections of each host: once each, however often they were tried again.
  await until(
    () => said(info, /Redis is back/),
    (times) => times === 4,
  );
  expect(said(warn, /Redis is away/)).toBe(4);
  vi.restoreAllMocks();
});

test('a Redis that holds nonsense is as good as none', async () => {
  const { Redis } = await import('ioredis');
  const client = new Redis(redis.url);
  await rename('Nonsense');
  await ask(api.server);
  const keys = await client.keys('millrace:*:answer:*');
  for (const key of keys) await client.set(key, 'nonsense', 'PX', 5_000);
  expect((await ask(other)).title).toBe('Nonsense');
  await client.quit();
});
