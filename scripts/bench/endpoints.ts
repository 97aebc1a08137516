import { readFile } from 'node:fs/promises';
import type pg from 'pg';
import { loginConnectionString } from '../lib/config.ts';
import { loadDemoData } from '../lib/demo-data.ts';
import { issueToken, tokenKey } from '../lib/jwt.ts';
import { migrateUp } from '../lib/migrations.ts';
import {
  type Host,
  SECRET,
  startApi,
  startBackground,
  startHandWritten,
} from './endpoint-hosts.ts';
import {
  ENDPOINTS,
  type Endpoint,
  type EndpointName,
  PAGE,
  type Parameter,
  type Statement,
} from './endpoint-requests.ts';
import { describeServer, median, openServer, withClient } from './hot-key.ts';
import { type HttpRequest, type KindLatency, type RequestKind, runHttpLoad } from './http-load.ts';
import { startWireProxy, type WireProxy } from './wire-proxy.ts';

/*
 * What a request to the API takes: the pages of discovery, the dashboard and an upvote, at a fixed
 * rate, mixed; what each sends to the database; what the same answers take when they are computed
 * when asked; and what a server written by hand on the same derived relations takes, at the same
 * rate, which is the limit. And how much slower everything gets when the database is far away.
 */

export interface EndpointsOptions {
  /** How much data: see npm run demo-data. */
  scale: number;
  /** Requests a second of all endpoints together. */
  rps: number;
  /** Measured seconds of the API, and of the server written by hand. */
  seconds: number;
  /** Milliseconds that a round trip to the distant database takes more. */
  delay: number;
  /** A server to measure; null: an embedded one. */
  databaseUrl: string | null;
  /** A database of that server that is made and filled if it is not there, and kept. */
  keep: string | null;
  onProgress?: (message: string) => void;
}

export interface EndpointResult {
  endpoint: EndpointName;
  latency: KindLatency;
  handWritten: KindLatency;
  /** Of one request, as the wire shows them: for a visitor, if visitors may ask, or an account. */
  statements: number;
  roundTrips: number;
  /** The same for an account. */
  statementsSignedIn: number;
  roundTripsSignedIn: number;
  /** Milliseconds of the same answer from the base tables, alone on the machine; null: no data. */
  liveMs: number | null;
  /** Median milliseconds of a request with little load: database near, and far away. */
  nearMs: number;
  farMs: number;
}

export interface EndpointsBenchResult {
  server: { version: string; settings: Record<string, string>; embedded: boolean };
  scale: number;
  rps: number;
  seconds: number;
  delay: number;
  endpoints: EndpointResult[];
  /** Processor milliseconds of the host for one request: the API's, and written by hand. */
  cpuMs: { api: number | null; handWritten: number | null };
}

/** Different requests of each endpoint: accounts, projects, texts that are searched for. */
const VARIANTS = 200;
const WARM_UP_MS = 5_000;
/** Load under which a distant database is measured: what counts is the time of one request. */
const FAR = { rps: 50, warmUpMs: 2_000, measureMs: 8_000 };
/** A live answer is timed so often, unless it takes long. */
const LIVE_RUNS = 5;
const LIVE_ENOUGH_MS = 5_000;

/**
 * Runs the benchmark: with data that are there about two and a half minutes, with the default
 * seconds.
 *
 * @throws Error when a request fails, or live and derived answers differ.
 */
export async function benchEndpoints(options: EndpointsOptions): Promise<EndpointsBenchResult> {
  const { scale, rps, seconds, delay } = options;
  const progress = options.onProgress ?? (() => undefined);
  return await withFilledDatabase(options, async (connectionString, server) => {
    const samples = await withOwner(connectionString, chooseSamples);
    const requests = await apiRequests(samples);
    const measureMs = seconds * 1000;

    const background = await startBackground(connectionString);
    try {
      progress('the same answers from the base tables');
      const checkHost = await startApi(connectionString);
      const live = await withOwner(connectionString, async (client) => {
        const sample = samples[0] as Sample;
        const token = await issueToken(tokenKey(SECRET), {
          accountId: sample.account,
          role: 'account',
          lifetime: 600,
        });
        for (const endpoint of ENDPOINTS) {
          await compareAnswers(client, endpoint, sample, checkHost.url, token);
        }
        return await measureLive(client, samples);
      });
      await checkHost.stop();

      progress('the server written by hand');
      const byHand = await underLoad(await startHandWritten(connectionString), {
        kinds: handWrittenRequests(samples),
        rate: rps,
        warmUpMs: WARM_UP_MS,
        measureMs,
      });
      progress('the API');
      const api = await underLoad(await startApi(connectionString), {
        kinds: requests,
        rate: rps,
        warmUpMs: WARM_UP_MS,
        measureMs,
      });

      progress('statements and round trips');
      const proxy = await startWireProxy(
        loginConnectionString(connectionString, 'app_authenticator'),
      );
      const proxied = await startApi(connectionString, proxy.connectionString);
      const counts = await countAll(proxied, proxy, requests);
      const low = { kinds: requests, rate: FAR.rps, ...FAR, seed: 1, url: proxied.url };
      const near = succeeded(await runHttpLoad(low));
      progress(`a database that is ${delay} ms away`);
      proxy.setDelay(delay);
      const far = succeeded(await runHttpLoad(low));
      await proxied.stop();
      await proxy.close();

      return {
        server,
        scale,
        rps,
        seconds,
        delay,
        cpuMs: { api: api.cpuMs, handWritten: byHand.cpuMs },
        endpoints: ENDPOINTS.map(({ name }, index) => ({
          endpoint: name,
          latency: api.latencies[index]!,
          handWritten: byHand.latencies[index]!,
          ...counts[index]!,
          liveMs: live[index]!,
          nearMs: near[index]!.p50,
          farMs: far[index]!.p50,
        })),
      };
    } finally {
      await background.stop();
    }
  });
}

/** Runs `work` with a database that has the demo data of the scale. */
export async function withFilledDatabase<T>(
  {
    scale,
    databaseUrl,
    keep,
    onProgress: progress = () => undefined,
  }: Pick<EndpointsOptions, 'scale' | 'databaseUrl' | 'keep' | 'onProgress'>,
  work: (connectionString: string, server: EndpointsBenchResult['server']) => Promise<T>,
): Promise<T> {
  const server = await openServer({ databaseUrl, profile: false });
  const name = keep ?? `millrace_bench_${process.pid}`;
  const url = new URL(server.connectionString);
  url.pathname = `/${name}`;
  try {
    return await withClient(server.connectionString, async (admin) => {
      const quoted = admin.escapeIdentifier(name);
      const { rowCount } = await admin.query('select from pg_database where datname = $1', [name]);
      if (rowCount === 0) await admin.query(`create database ${quoted} template template0`);
      try {
        progress('migrating');
        await migrateUp(url.href);
        let last = '';
        await loadDemoData(url.href, {
          scale,
          onProgress(step) {
            if (step !== last) progress(`demo data: ${step}`);
            last = step;
          },
        });
        return await work(url.href, {
          ...(await describeServer(admin)),
          embedded: server.embedded,
        });
      } finally {
        if (keep === null) await admin.query(`drop database ${quoted} with (force)`);
      }
    });
  } finally {
    await server.stop();
  }
}

export async function withOwner<T>(
  connectionString: string,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  return await withClient(connectionString, async (client) => {
    // As the API's connections; compiling would make the live answers slower.
    await client.query('set role app_owner; set jit to off');
    return await work(client);
  });
}

/** What requests are about: one of each for every variant. */
export type Sample = Record<Parameter, string>;

/** Accounts that may write, projects of others, and texts as people type them. */
export async function chooseSamples(client: pg.Client): Promise<Sample[]> {
  const { rows: pairs } = await client.query<{ account: string; project: string }>(
    `select a.id as account, p.id as project
    from (
      select id, row_number() over (order by md5(id::text)) as n from app_public.account
      where deleted_at is null and suspended_at is null and not is_guest
    ) a
    join (
      select id, owner_id, row_number() over (order by md5(id::text)) as n from app_public.project
      where deleted_at is null
    ) p on p.n = a.n
    where p.owner_id <> a.id
    order by a.n limit $1`,
    [VARIANTS],
  );
  const { rows: titles } = await client.query<{ title: string }>(
    `select title from (
      select distinct on (title) title from app_hidden.search_index
      where char_length(title) between 8 and 60
    ) t order by md5(title) limit $1`,
    [VARIANTS],
  );
  if (pairs.length === 0 || titles.length === 0) throw new Error('the database has no demo data');
  return pairs.map((pair, index) => ({
    ...pair,
    query: searchText(titles[index % titles.length]!.title, index),
  }));
}

/** Something to search for that a title answers: a word, its beginning, a typo, two words. */
function searchText(title: string, index: number): string {
  const words = title.split(/\s+/).filter((word) => word.length > 3);
  const word = words[index % Math.max(1, words.length)] ?? title;
  switch (index % 4) {
    case 0:
      return word;
    case 1:
      return word.slice(0, Math.max(3, word.length - 2));
    case 2:
      return word.length > 5 ? `${word.slice(0, 2)}${word.slice(3)}` : word;
    default:
      return words.slice(0, 2).join(' ') || title;
  }
}

/** What a client sends, for each endpoint: public ones by visitors and accounts in turn. */
export async function apiRequests(samples: readonly Sample[]): Promise<RequestKind[]> {
  const key = tokenKey(SECRET);
  const tokens = await Promise.all(
    samples.map(({ account }) =>
      issueToken(key, { accountId: account, role: 'account', lifetime: 3_600 }),
    ),
  );
  return ENDPOINTS.map((endpoint) => ({
    name: endpoint.name,
    requests: samples.map((sample, index) => {
      const isVisitor = endpoint.audience === 'everybody' && index % 2 === 0;
      return apiRequest(endpoint, sample, isVisitor ? null : tokens[index]!);
    }),
  }));
}

export function apiRequest(
  { document, variables }: Endpoint,
  sample: Sample,
  token: string | null,
): HttpRequest {
  if (document === null) return { method: 'GET', path: '/healthz', headers: {}, body: null };
  const body = JSON.stringify({
    query: document,
    variables: Object.fromEntries(
      Object.entries(variables).map(([name, parameter]) => [name, sample[parameter]]),
    ),
  });
  return {
    method: 'POST',
    path: '/graphql',
    headers: {
      accept: 'application/json',
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(body)),
      ...(token !== null && { authorization: `Bearer ${token}` }),
    },
    body,
  };
}

function handWrittenRequests(samples: readonly Sample[]): RequestKind[] {
  return ENDPOINTS.map(({ name }) => ({
    name,
    requests: samples.map((sample) => ({
      method: 'GET' as const,
      path: `/${name}?${new URLSearchParams(sample)}`,
      headers: {},
      body: null,
    })),
  }));
}

type Load = Omit<Parameters<typeof runHttpLoad>[0], 'url' | 'seed'>;

/** The latencies of a host that is then stopped, and its processor time for one request. */
async function underLoad(
  host: Host,
  load: Load,
): Promise<{ latencies: KindLatency[]; cpuMs: number | null }> {
  try {
    const before = await processorMs(host.pid);
    const result = await runHttpLoad({ ...load, url: host.url, seed: 1 });
    const after = await processorMs(host.pid);
    const count = ((load.warmUpMs + load.measureMs) / 1000) * load.rate;
    return {
      latencies: succeeded(result),
      cpuMs: before === null || after === null ? null : (after - before) / count,
    };
  } finally {
    await host.stop();
  }
}

/** Processor milliseconds of a process so far; null where there is no /proc. */
async function processorMs(pid: number): Promise<number | null> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  if (stat === null) return null;
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // utime and stime, in ticks of a hundredth of a second
  return 10 * (Number(fields[11]) + Number(fields[12]));
}

function succeeded(result: Awaited<ReturnType<typeof runHttpLoad>>): KindLatency[] {
  if (result.failed > 0) throw new Error(`${result.failed} requests failed: ${result.firstError}`);
  return result.latencies;
}

type Counts = Pick<
  EndpointResult,
  'statements' | 'roundTrips' | 'statementsSignedIn' | 'roundTripsSignedIn'
>;

async function countAll(
  host: Host,
  proxy: WireProxy,
  kinds: readonly RequestKind[],
): Promise<Counts[]> {
  const result: Counts[] = [];
  for (const [index, { audience }] of ENDPOINTS.entries()) {
    const { requests } = kinds[index] as RequestKind;
    const signedIn = await countOne(host, proxy, requests[1] as HttpRequest);
    const visitor =
      audience === 'everybody' ? await countOne(host, proxy, requests[0] as HttpRequest) : signedIn;
    result.push({
      statements: visitor.statements,
      roundTrips: visitor.roundTrips,
      statementsSignedIn: signedIn.statements,
      roundTripsSignedIn: signedIn.roundTrips,
    });
  }
  return result;
}

/** What the wire shows of the second of two equal requests: the first prepares the statements. */
async function countOne(host: Host, proxy: WireProxy, request: HttpRequest) {
  await fetchJson(host.url, request);
  proxy.reset();
  await fetchJson(host.url, request);
  return { ...proxy.counts() };
}

async function fetchJson(url: string, { method, path, headers, body }: HttpRequest) {
  const response = await fetch(`${url}${path}`, { method, headers, body });
  const answer = (await response.json()) as { data?: unknown; errors?: unknown };
  if (response.status !== 200 || answer.errors !== undefined) {
    throw new Error(`${path}: ${response.status} ${JSON.stringify(answer)}`);
  }
  return answer;
}

async function runStatements(
  client: pg.ClientBase,
  statements: readonly Statement[],
  sample: Sample,
): Promise<Record<string, unknown>[]> {
  let rows: Record<string, unknown>[] = [];
  for (const { text, parameters } of statements) {
    ({ rows } = await client.query(
      text,
      parameters.map((it) => sample[it]),
    ));
  }
  return rows.slice(0, PAGE);
}

/** Median milliseconds of each live answer, each time another one; null for none. */
async function measureLive(
  client: pg.Client,
  samples: readonly Sample[],
): Promise<(number | null)[]> {
  const result: (number | null)[] = [];
  for (const { live } of ENDPOINTS) {
    const times: number[] = [];
    for (let run = 0; run < LIVE_RUNS && sum(times) < LIVE_ENOUGH_MS; run += 1) {
      const started = performance.now();
      await runStatements(client, live, samples[run % samples.length]!);
      times.push(performance.now() - started);
    }
    result.push(live.length === 0 ? null : median(times));
  }
  return result;
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

/** What has no other answer when it is computed live: all but search, which finds less, and writes. */
export const COMPARED: ReadonlySet<EndpointName> = new Set([
  'feed-trending',
  'feed-newest',
  'feed-top-rated',
  'leaderboard-projects',
  'leaderboard-builders',
  'chains',
  'dashboard-stats',
]);

/**
 * Compares what the API answers to an account with both forms of the same by hand; an endpoint that
 * is not compared is passed over.
 *
 * @param url where the API listens, without a path.
 * @throws Error when they differ.
 */
export async function compareAnswers(
  client: pg.ClientBase,
  endpoint: Endpoint,
  sample: Sample,
  url: string,
  token: string,
): Promise<void> {
  if (!COMPARED.has(endpoint.name)) return;
  const answer = await fetchJson(url, apiRequest(endpoint, sample, token));
  let value: unknown = answer.data;
  for (const name of endpoint.path) value = (value as Record<string, unknown>)[name];
  const shown = (Array.isArray(value) ? value : [value]) as Record<string, unknown>[];
  for (const form of ['derived', 'live'] as const) {
    const rows = await runStatements(client, endpoint[form], sample);
    if (rows.length !== shown.length) {
      throw new Error(
        `${endpoint.name}: the API shows ${shown.length} rows, the ${form} statement ${rows.length}`,
      );
    }
    for (const [index, row] of shown.entries()) {
      for (const [name, field] of Object.entries(row)) {
        const other = rows[index]?.[name];
        if (JSON.stringify(other) === JSON.stringify(field)) continue;
        throw new Error(
          `${endpoint.name}, row ${index + 1}: the API says ${name} ${JSON.stringify(field)}, ` +
            `the ${form} statement ${JSON.stringify(other)}`,
        );
      }
    }
  }
}
