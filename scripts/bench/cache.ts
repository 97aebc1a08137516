import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import getPort from 'get-port';
import { Redis } from 'ioredis';
import pg from 'pg';
import { loadDemoData } from '../lib/demo-data.ts';
import { migrateUp } from '../lib/migrations.ts';
import { type ClosedLoadResult, runClosedLoad } from './closed-load.ts';
import { type Host, startApi, startBackground } from './endpoint-hosts.ts';
import { describeServer, median, openServer, withClient } from './hot-key.ts';

/*
 * What the cache before the API gives: a page of the feed without it, from memory, and from a Redis
 * on the same machine, where another host has put it; one client alone (latency) and several at once
 * (throughput). Beside them the Redis itself, asked for a value of the same size.
 */

export interface CacheBenchOptions {
  /** How much data: see npm run demo-data. */
  scale: number;
  /** Measured seconds of each run. */
  seconds: number;
  /** Rounds of all variants; the median is reported. */
  rounds: number;
  /** Clients of the runs for throughput. */
  clients: number;
  /** A server to measure; null: an embedded one. */
  databaseUrl: string | null;
  onProgress?: (message: string) => void;
}

export type CacheVariant = 'no cache' | 'memory' | 'redis through a host' | 'redis alone';

export interface CacheVariantResult {
  variant: CacheVariant;
  /** One client: milliseconds of an answer. */
  alone: { p50: number; p99: number };
  /** All clients. */
  together: { perSecond: number; p50: number; p99: number };
  /** Answers that were wrong, of all rounds. */
  failed: number;
}

export interface CacheBenchResult {
  server: { version: string; settings: Record<string, string>; embedded: boolean };
  clients: number;
  seconds: number;
  rounds: number;
  /** Bytes of an answer. */
  bytes: number;
  /** Null: there is no redis-server on this machine. */
  redis: string | null;
  variants: CacheVariantResult[];
}

const FEED = `query Feed($n: Int) {
  trendingProjects(first: $n) {
    nodes { projectId title tagline tags ownerName upvoteCount commentCount badgeCount }
    pageInfo { hasNextPage endCursor }
  }
}`;
/** Requests that differ in a variable of no effect: more than the smallest cache in memory holds. */
const VARIANTS = 1_500;
const WARM_UP_MS = 1_000;

const body = (variant: number) => JSON.stringify({ query: FEED, variables: { n: 20, variant } });

/** Runs the benchmark: with the defaults about two minutes. */
export async function benchCache(options: CacheBenchOptions): Promise<CacheBenchResult> {
  const progress = options.onProgress ?? (() => undefined);
  const server = await openServer({ databaseUrl: options.databaseUrl, profile: false });
  const name = `millrace_bench_cache_${process.pid}`;
  const redis = await startRedis();
  const url = new URL(server.connectionString);
  url.pathname = `/${name}`;
  try {
    await withClient(server.connectionString, (client) => client.query(`create database ${name}`));
    progress('migrating, loading');
    await migrateUp(url.href);
    await loadDemoData(url.href, { scale: options.scale });
    const described = await withClient(url.href, describeServer);
    const background = await startBackground(url.href);
    try {
      await settled(url.href);
      const measured = await measureAll(url.href, redis?.url ?? null, options, progress);
      return {
        server: { ...described, embedded: server.embedded },
        clients: options.clients,
        seconds: options.seconds,
        rounds: options.rounds,
        redis: redis?.version ?? null,
        ...measured,
      };
    } finally {
      await background.stop();
    }
  } finally {
    await redis?.stop();
    if (!server.embedded) {
      await withClient(server.connectionString, (client) =>
        client.query(`drop database if exists ${pg.escapeIdentifier(name)} with (force)`),
      );
    }
    await server.stop();
  }
}

/** Waits until what was loaded has been derived: until then lists change and answers with them. */
async function settled(connectionString: string): Promise<void> {
  await withClient(connectionString, async (client) => {
    const deadline = performance.now() + 60_000;
    for (;;) {
      const { rows } = await client.query<{ pending: string | null }>(
        'select sum(pending_rows) as pending from millrace.status',
      );
      if (Number(rows[0]?.pending ?? 0) === 0) return;
      if (performance.now() > deadline)
        throw new Error('the derived relations are never up to date');
      await sleep(200);
    }
  });
}

type Run = { alone: ClosedLoadResult; together: ClosedLoadResult };

async function measureAll(
  connectionString: string,
  redisUrl: string | null,
  { seconds, rounds, clients }: CacheBenchOptions,
  progress: (message: string) => void,
): Promise<{ bytes: number; variants: CacheVariantResult[] }> {
  const runs = new Map<CacheVariant, Run[]>();
  const one = [body(0)];
  const measureMs = seconds * 1_000;
  const both = async (
    url: string,
    bodies: string[],
    prepare?: () => Promise<void>,
  ): Promise<Run> => {
    const load = { url, bodies, warmUpMs: WARM_UP_MS, measureMs };
    await prepare?.();
    const alone = await runClosedLoad({ ...load, clients: 1 });
    await prepare?.();
    return { alone, together: await runClosedLoad({ ...load, clients }) };
  };
  const plain = await startApi(connectionString);
  const cached = await startApi(connectionString, undefined, { CACHE_MB: '64' });
  const shared: Host[] = [];
  if (redisUrl !== null) {
    // The first makes the answers, the second has next to no memory and takes them from Redis.
    for (const megabytes of ['64', '1']) {
      shared.push(
        await startApi(connectionString, undefined, { CACHE_MB: megabytes, REDIS_URL: redisUrl }),
      );
    }
  }
  const answer = await (
    await fetch(`${plain.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: body(0),
    })
  ).text();
  try {
    for (let round = 1; round <= rounds; round += 1) {
      const keep = (variant: CacheVariant, run: Run) => {
        runs.set(variant, [...(runs.get(variant) ?? []), run]);
        progress(`round ${round}: ${variant}: ${Math.round(run.together.perSecond)} answers/s`);
      };
      keep('no cache', await both(`${plain.url}/graphql`, one));
      keep('memory', await both(`${cached.url}/graphql`, one));
      const [maker, taker] = shared;
      if (maker && taker && redisUrl !== null) {
        const all = Array.from({ length: VARIANTS }, (_, index) => body(index));
        // An answer is made again after 10 s at the latest: they are made just before.
        const make = async () => {
          for (let index = 0; index < VARIANTS; index += 50) {
            await Promise.all(
              all.slice(index, index + 50).map(async (text) => {
                const headers = { 'content-type': 'application/json' };
                await (
                  await fetch(`${maker.url}/graphql`, { method: 'POST', headers, body: text })
                ).arrayBuffer();
              }),
            );
          }
        };
        keep('redis through a host', await both(`${taker.url}/graphql`, all, make));
        const client = new Redis(redisUrl);
        await client.set('bench:answer', answer);
        await client.quit();
        keep('redis alone', await both(redisUrl, ['bench:answer']));
      }
    }
  } finally {
    for (const host of [plain, cached, ...shared]) await host.stop();
  }
  const variants = [...runs].map(([variant, all]) => {
    const of = (pick: (run: Run) => number) => median(all.map(pick));
    return {
      variant,
      alone: { p50: of(({ alone }) => alone.p50), p99: of(({ alone }) => alone.p99) },
      together: {
        perSecond: of(({ together }) => together.perSecond),
        p50: of(({ together }) => together.p50),
        p99: of(({ together }) => together.p99),
      },
      failed: all.reduce((sum, { alone, together }) => sum + alone.failed + together.failed, 0),
    };
  });
  return { bytes: Buffer.byteLength(answer), variants };
}

/** A Redis in memory only, on a free port; null when there is none on this machine. */
async function startRedis(): Promise<{
  url: string;
  version: string;
  stop(): Promise<void>;
} | null> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-bench-redis-'));
  const port = await getPort({ host: '127.0.0.1' });
  const child = spawn(
    'redis-server',
    ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'],
    { cwd: folder, stdio: 'ignore' },
  );
  const isThere = await new Promise<boolean>((resolve) => {
    child.once('error', () => resolve(false));
    child.once('spawn', () => resolve(true));
  });
  if (!isThere) {
    await rm(folder, { recursive: true });
    return null;
  }
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const url = `redis://127.0.0.1:${port}/0`;
  const client = new Redis(url, { maxRetriesPerRequest: null });
  client.on('error', () => undefined);
  const version = /redis_version:(\S+)/.exec(await client.info('server'))?.[1] ?? 'unknown';
  await client.quit();
  return {
    url,
    version,
    async stop() {
      child.kill('SIGTERM');
      await ended;
      await rm(folder, { recursive: true });
    },
  };
}

/** The result for a program. */
export function cacheJson(result: CacheBenchResult): Record<string, unknown> {
  return { benchmark: 'cache', ...result };
}

/** The result for a person. */
export function cacheReport(result: CacheBenchResult): string {
  const lines = result.variants.map(({ variant, alone, together, failed }) =>
    [
      variant.padEnd(22),
      `${alone.p50.toFixed(2)} / ${alone.p99.toFixed(2)}`.padStart(14),
      Math.round(together.perSecond).toLocaleString('en').padStart(10),
      `${together.p50.toFixed(1)} / ${together.p99.toFixed(1)}`.padStart(14),
      failed > 0 ? `  ${failed} failed` : '',
    ].join('  '),
  );
  const redis = result.redis === null ? 'no redis-server here' : `Redis ${result.redis}`;
  return [
    `Postgres ${result.server.version}, ${redis}; a page of the feed, ${result.bytes} bytes`,
    `medians of ${result.rounds} rounds of ${result.seconds} s; together: ${result.clients} clients`,
    '',
    `${'answer from'.padEnd(22)}  ${'alone p50/p99'.padStart(14)}  ${'answers/s'.padStart(10)}  ${'p50/p99 ms'.padStart(14)}`,
    ...lines,
    '',
  ].join('\n');
}
