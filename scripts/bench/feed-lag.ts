import { setTimeout as sleep } from 'node:timers/promises';
import { build } from 'hdr-histogram-js';
import { issueToken, tokenKey } from '../lib/jwt.ts';
import { SECRET, startApi, startBackground } from './endpoint-hosts.ts';
import {
  apiRequests,
  chooseSamples,
  type EndpointsOptions,
  type Sample,
  withFilledDatabase,
  withOwner,
} from './endpoints.ts';
import { runHttpLoad } from './http-load.ts';

/*
 * How long after a write was answered the feeds show it, through the API, with ticker and worker
 * running as in production: while nothing else happens, and under the mixed load of the endpoints
 * benchmark.
 */

export interface FeedLagOptions
  extends Pick<EndpointsOptions, 'scale' | 'rps' | 'databaseUrl' | 'keep' | 'onProgress'> {
  /** Writes of each kind that are followed, without and with load. */
  writes: number;
}

export interface FeedLag {
  /** An upvote (it comes by way of the project's counter), or a new project. */
  write: 'upvote' | 'project';
  /** Requests a second beside it. */
  rps: number;
  samples: number;
  /** Milliseconds from the answer of the write to the first answer of a feed that has it. */
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
}

/** Writes that are followed at a time, and how often is looked: what looking adds to the lag. */
const AT_ONCE = 4;
const POLL_MS = 5;
const LOST_MS = 30_000;

/**
 * Follows writes until the feeds show them.
 *
 * @throws Error when one is not shown within half a minute, or a request fails.
 */
export async function benchFeedLag(options: FeedLagOptions): Promise<FeedLag[]> {
  const { rps, writes } = options;
  const progress = options.onProgress ?? (() => undefined);
  return await withFilledDatabase(options, async (connectionString) => {
    const samples = await withOwner(connectionString, chooseSamples);
    // What is followed is changed by nobody else.
    const half = Math.ceil(samples.length / 2);
    const kinds = await apiRequests(samples.slice(0, half));
    const followed = samples.slice(half);
    const background = await startBackground(connectionString);
    const api = await startApi(connectionString);
    try {
      const results: FeedLag[] = [];
      for (const load of [0, rps]) {
        for (const write of ['upvote', 'project'] as const) {
          progress(`${write}s ${load === 0 ? 'alone' : `beside ${load} requests/s`}`);
          const others = startLoad(load === 0 ? null : { url: api.url, kinds, rate: load });
          const lags = await follow(api.url, write, followed, writes);
          await others.stop();
          results.push({ write, rps: load, ...summary(lags) });
        }
      }
      return results;
    } finally {
      await api.stop();
      await background.stop();
    }
  });
}

/** Load in pieces of a second, until it is stopped. */
function startLoad(load: Pick<Parameters<typeof runHttpLoad>[0], 'url' | 'kinds' | 'rate'> | null) {
  let isOver = false;
  const running = (async () => {
    for (let seed = 1; load !== null && !isOver; seed += 1) {
      const { failed, firstError } = await runHttpLoad({
        ...load,
        warmUpMs: 0,
        measureMs: 1_000,
        seed,
      });
      if (failed > 0) throw new Error(`${failed} requests failed: ${firstError}`);
    }
  })();
  return {
    stop() {
      isOver = true;
      return running;
    },
  };
}

async function follow(
  url: string,
  write: FeedLag['write'],
  samples: readonly Sample[],
  count: number,
): Promise<number[]> {
  const lags: number[] = [];
  let next = 0;
  const one = async () => {
    while (next < count) {
      const sample = samples[next % samples.length] as Sample;
      next += 1;
      lags.push(await (write === 'upvote' ? upvoteLag(url, sample) : projectLag(url, sample)));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
  return lags;
}

/** Until the project's row of the feeds has the count that the upvote was answered with. */
async function upvoteLag(url: string, { account, project }: Sample): Promise<number> {
  const { toggleUpvote } = await ask(
    url,
    account,
    `mutation { toggleUpvote(input: { projectId: "${project}" }) { result { upvoteCount } } }`,
  );
  const wanted: string = toggleUpvote.result.upvoteCount;
  return await until(async () => {
    const answer = await ask(
      url,
      null,
      `{ project(id: "${project}") { feedProject { upvoteCount } } }`,
    );
    return answer.project.feedProject?.upvoteCount === wanted;
  });
}

/** Until the project is on the first page of the newest. */
async function projectLag(url: string, { account }: Sample): Promise<number> {
  const { createProject } = await ask(
    url,
    account,
    'mutation { createProject(input: { title: "Feed lag" }) { result { id } } }',
  );
  const lag = await until(async () => {
    const { newestProjects } = await ask(url, null, '{ newestProjects { nodes { projectId } } }');
    return newestProjects.nodes.some(
      ({ projectId }: { projectId: string }) => projectId === createProject.result.id,
    );
  });
  const remove = `mutation { deleteProject(input: { projectId: "${createProject.result.id}" }) {
    clientMutationId
  } }`;
  await ask(url, account, remove);
  return lag;
}

async function until(isShown: () => Promise<boolean>): Promise<number> {
  const started = performance.now();
  while (!(await isShown())) {
    if (performance.now() - started > LOST_MS) throw new Error('a write is not shown by the feeds');
    await sleep(POLL_MS);
  }
  return performance.now() - started;
}

// biome-ignore lint/suspicious/noExplicitAny: what is asked for is what comes.
async function ask(url: string, account: string | null, query: string): Promise<any> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json',
      ...(account !== null && { authorization: `Bearer ${await tokenOf(account)}` }),
    },
    body: JSON.stringify({ query }),
  });
  const { data, errors } = (await response.json()) as { data: unknown; errors?: unknown };
  if (errors !== undefined) throw new Error(JSON.stringify(errors));
  return data;
}

const tokens = new Map<string, Promise<string>>();

function tokenOf(account: string): Promise<string> {
  const known = tokens.get(account);
  if (known !== undefined) return known;
  const token = issueToken(tokenKey(SECRET), {
    accountId: account,
    role: 'account',
    lifetime: 3_600,
  });
  tokens.set(account, token);
  return token;
}

function summary(lags: readonly number[]): Omit<FeedLag, 'write' | 'rps'> {
  const histogram = build({ lowestDiscernibleValue: 1, highestTrackableValue: 120_000_000 });
  for (const lag of lags) histogram.recordValue(Math.max(1, Math.round(lag * 1000)));
  const at = (percentile: number) => Math.round(histogram.getValueAtPercentile(percentile) / 1000);
  return { samples: lags.length, p50Ms: at(50), p99Ms: at(99), maxMs: at(100) };
}

/** Milliseconds: the feeds are to show a write within so many. */
const TARGET_MS = 1_000;

/** The result for people. */
export function feedLagReport(lags: readonly FeedLag[]): string {
  const worst = Math.max(...lags.map(({ p99Ms }) => p99Ms));
  return [
    'milliseconds from the answer of a write to a feed that shows it',
    '',
    ['write'.padEnd(10), ...['beside', 'writes', 'p50', 'p99', 'max'].map(cell)].join(''),
    ...lags.map((it) =>
      [
        it.write.padEnd(10),
        ...[`${it.rps}/s`, it.samples, it.p50Ms, it.p99Ms, it.maxMs].map(cell),
      ].join(''),
    ),
    '',
    `target p99 ≤ ${TARGET_MS} ms: ${worst <= TARGET_MS ? 'met' : 'missed'}: ${worst}`,
    '',
  ].join('\n');
}

const cell = (value: string | number) => String(value).padStart(9);
