import './graphile-env.ts';

import type { ServerResponse } from 'node:http';
import { createHistogram, monitorEventLoopDelay, type RecordableHistogram } from 'node:perf_hooks';
import pg from 'pg';
import { isSafeError, type SafeError } from 'postgraphile/grafast';
import { type FormattedExecutionResult, GraphQLError } from 'postgraphile/graphql';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry, Summary } from 'prom-client';
import { makeOperationNames, operationName } from './operation-names.ts';
import type { PoolStatistics } from './pools.ts';
import { type TickStatistics, tickStatistics } from './ticker.ts';

/*
 * What a host measures of itself: for GET /metrics since its start (percentiles over the last ten
 * minutes), and for the operator's API and the alerts minute by minute (host-report.ts). What it
 * measures it keeps in memory and bounded: a hundred names of operations.
 */

/** What the cache of responses has to say, if there is one. */
export interface CacheStatistics {
  hits: number;
  misses: number;
  entries: number;
  evictions?: number;
  /** What the hosts share; null without one. */
  redis?: { connected: boolean } | null;
}

/** A part of what the database says of itself: app_hidden.engine_metrics(). */
export interface EngineMetrics {
  derivations: {
    name: string;
    kind: string;
    state: string;
    waiting: number;
    staleness: number;
    failed: number;
  }[];
  logs: { source: string; pending: number }[];
  runs: number;
  lastRunAt: number | null;
  tickers: number;
  hosts: number;
  drift: number;
  jobs: { state: string; jobs: number }[];
  alerts: { rule: string; firing: number }[];
  connections: { used: number; max: number };
  blocks: { hit: number; read: number } | null;
}

/** Where a host's metrics come from beside its requests. */
export interface MetricSources {
  pools(): PoolStatistics[];
  cache?(): CacheStatistics | null;
  /** Asks the database; rejected when it does not answer. */
  engine?(): Promise<EngineMetrics>;
}

/** What was measured since the last report, in milliseconds. */
export interface HostMinute {
  requests: number;
  errors: number;
  requestP95: number | null;
  statements: number;
  statementP95: number | null;
  statementMax: number | null;
  poolSize: number;
  poolUsedMax: number;
  poolAcquisitions: number;
  poolWaits: number;
  poolWaitMax: number;
  cacheHits: number | null;
  cacheMisses: number | null;
  cacheEntries: number | null;
  eventLoopP99: number;
  memoryBytes: number;
  operations: {
    operation: string;
    requests: number;
    errors: number;
    total: number;
    p95: number;
    max: number;
  }[];
}

export interface Metrics {
  /** Measures a request to the GraphQL endpoint, from now until it is answered. */
  observeRequest(response: ServerResponse): void;
  /** Says which operation a response belongs to; the plugin does, whoever answers before it may. */
  nameRequest(response: ServerResponse, query: unknown, asked: unknown): void;
  /** The operation of a response, as it is measured. */
  operationOf(response: ServerResponse): string | null;
  /** Measures a statement; milliseconds. */
  observeStatement(duration: number): void;
  /** Names requests and tells faults from errors of the client. */
  plugin: GraphileConfig.Plugin;
  /** The text of GET /metrics. */
  render(): Promise<{ contentType: string; body: string }>;
  /** What was measured since the last call, which begins the next interval. */
  takeMinute(): HostMinute;
  stop(): void;
}

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Milliseconds for which what the database says is good: two scrapers ask it once. */
const ENGINE_TTL = 1_000;

interface Measured {
  operation: string;
  failed: boolean;
}

interface OperationMinute {
  requests: number;
  errors: number;
  total: number;
  durations: RecordableHistogram;
}

export function makeMetrics(sources: MetricSources): Metrics {
  const register = new Registry();
  collectDefaultMetrics({ register });
  const labels = makeOperationNames({
    onLeft(operation) {
      requestSeconds.remove({ operation });
      for (const outcome of ['ok', 'error']) requests.remove({ operation, outcome });
    },
  });
  const requestSeconds = new Summary({
    name: 'millrace_request_seconds',
    help: 'Duration of GraphQL requests by operation; percentiles over the last ten minutes.',
    labelNames: ['operation'],
    percentiles: [0.5, 0.95, 0.99],
    maxAgeSeconds: 600,
    ageBuckets: 5,
    pruneAgedBuckets: true,
    registers: [register],
  });
  const requests = new Counter({
    name: 'millrace_requests_total',
    help: 'GraphQL requests by operation; outcome error: failed by no fault of the client.',
    labelNames: ['operation', 'outcome'],
    registers: [register],
  });
  const requestBuckets = new Histogram({
    name: 'millrace_request_duration_seconds',
    help: 'Duration of all GraphQL requests; can be summed over hosts.',
    buckets: SECONDS,
    registers: [register],
  });
  const statementBuckets = new Histogram({
    name: 'millrace_statement_duration_seconds',
    help: 'Duration of statements of the API, from sending to the last row.',
    buckets: SECONDS,
    registers: [register],
  });
  const ask = registerSources(register, sources);

  const measured = new WeakMap<ServerResponse, Measured>();
  const loop = monitorEventLoopDelay({ resolution: 100 });
  loop.enable();
  let minute = emptyMinute();
  let before: ReturnType<typeof countersOf> = { acquired: 0, waited: 0, waitedMs: 0, cache: null };
  let usedMax = 0;
  const sampling = setInterval(() => {
    usedMax = Math.max(usedMax, used(sources.pools()));
  }, 250).unref();

  function finish(response: ServerResponse, duration: number): void {
    const { operation, failed } = measured.get(response) ?? {
      operation: labels(null),
      failed: false,
    };
    const isError = failed || response.statusCode >= 500;
    requestSeconds.observe({ operation }, duration / 1_000);
    requestBuckets.observe(duration / 1_000);
    requests.inc({ operation, outcome: isError ? 'error' : 'ok' });
    minute.requests += 1;
    if (isError) minute.errors += 1;
    record(minute.requestDurations, duration);
    let own = minute.operations.get(operation);
    if (own === undefined) {
      own = { requests: 0, errors: 0, total: 0, durations: histogram() };
      minute.operations.set(operation, own);
    }
    own.requests += 1;
    if (isError) own.errors += 1;
    own.total += duration;
    record(own.durations, duration);
  }

  const metrics: Metrics = {
    observeRequest(response) {
      const start = performance.now();
      // A client that goes away is answered, too: as far as it listened.
      response.once('close', () => finish(response, performance.now() - start));
    },
    nameRequest(response, query, asked) {
      const known = measured.get(response);
      const operation = labels(operationName(query, asked));
      if (known === undefined) measured.set(response, { operation, failed: false });
      else known.operation = operation;
    },
    operationOf: (response) => measured.get(response)?.operation ?? null,
    observeStatement(duration) {
      statementBuckets.observe(duration / 1_000);
      minute.statements += 1;
      record(minute.statementDurations, duration);
    },
    plugin: {
      name: 'MillraceMetricsPlugin',
      version: '0.0.0',
      grafserv: {
        middleware: {
          async processGraphQLRequestBody(next, event) {
            try {
              return await next();
            } finally {
              const response = event.request?.requestContext.node?.res;
              const { query, operationName } = event.body;
              if (response !== undefined) metrics.nameRequest(response, query, operationName);
            }
          },
        },
      },
      grafast: {
        middleware: {
          async execute(next, { args }) {
            const response = args.requestContext?.node?.res;
            const result = await next();
            const known = response && measured.get(response);
            const { errors } = result as FormattedExecutionResult & { errors?: readonly unknown[] };
            if (known && errors?.some(isFault)) known.failed = true;
            return result;
          },
        },
      },
    },
    async render() {
      await ask();
      return { contentType: register.contentType, body: await register.metrics() };
    },
    takeMinute() {
      const taken = minute;
      minute = emptyMinute();
      const last = before;
      before = countersOf(sources);
      const pools = sources.pools();
      const report: HostMinute = {
        requests: taken.requests,
        errors: taken.errors,
        requestP95: percentile(taken.requestDurations, 95),
        statements: taken.statements,
        statementP95: percentile(taken.statementDurations, 95),
        statementMax: percentile(taken.statementDurations, 100),
        poolSize: pools.reduce((sum, { max }) => sum + max, 0),
        poolUsedMax: Math.max(usedMax, used(pools)),
        poolAcquisitions: before.acquired - last.acquired,
        poolWaits: before.waited - last.waited,
        poolWaitMax:
          before.waited > last.waited
            ? (before.waitedMs - last.waitedMs) / (before.waited - last.waited)
            : 0,
        cacheHits: before.cache && before.cache.hits - (last.cache?.hits ?? 0),
        cacheMisses: before.cache && before.cache.misses - (last.cache?.misses ?? 0),
        cacheEntries: before.cache?.entries ?? null,
        eventLoopP99: loop.count === 0 ? 0 : loop.percentile(99) / 1e6,
        memoryBytes: process.memoryUsage.rss(),
        operations: [...taken.operations]
          .map(([operation, { requests, errors, total, durations }]) => ({
            operation,
            requests,
            errors,
            total,
            p95: percentile(durations, 95) ?? 0,
            max: percentile(durations, 100) ?? 0,
          }))
          .sort((a, b) => b.total - a.total)
          .slice(0, 100),
      };
      usedMax = 0;
      loop.reset();
      return report;
    },
    stop() {
      clearInterval(sampling);
      loop.disable();
      register.clear();
    },
  };
  return metrics;
}

/** Classes and codes of Postgres' errors that a client causes. */
const OF_CLIENT = /^(22...|40...|42501|25006)$/;
const APPLICATION_SQLSTATE = /^(?!XX|HV)[A-Z]{2}[0-9]{3}$/;

/** Whether an error is the host's or the database's, and not the client's own. */
export function isFault(error: unknown): boolean {
  const cause: unknown = error instanceof GraphQLError ? error.originalError : error;
  if (cause === undefined || cause === null || cause instanceof GraphQLError) return false;
  if (isSafeError(cause as Error)) {
    const { code, statusCode } = (cause as SafeError<Record<string, unknown>>).extensions ?? {};
    // OP004: no connection was free.
    return code === 'OP004' || Number(statusCode ?? 0) >= 500;
  }
  if (cause instanceof pg.DatabaseError) {
    const code = cause.code ?? '';
    return !APPLICATION_SQLSTATE.test(code) && !OF_CLIENT.test(code);
  }
  return true;
}

function emptyMinute() {
  return {
    requests: 0,
    errors: 0,
    requestDurations: histogram(),
    statements: 0,
    statementDurations: histogram(),
    operations: new Map<string, OperationMinute>(),
  };
}

/** Counts microseconds up to ten minutes, with two figures. */
function histogram(): RecordableHistogram {
  return createHistogram({ lowest: 1, highest: 600_000_000, figures: 2 });
}

function record(into: RecordableHistogram, ms: number): void {
  into.record(Math.min(600_000_000, Math.max(1, Math.round(ms * 1_000))));
}

function percentile(of: RecordableHistogram, percent: number): number | null {
  if (of.count === 0) return null;
  return percent === 100 ? of.max / 1_000 : of.percentile(percent) / 1_000;
}

function used(pools: PoolStatistics[]): number {
  return pools.reduce((sum, { open, idle }) => sum + open - idle, 0);
}

function countersOf({ pools, cache }: MetricSources) {
  const all = pools();
  const sum = (of: (pool: PoolStatistics) => number) =>
    all.reduce((total, it) => total + of(it), 0);
  return {
    acquired: sum(({ acquired, refused }) => acquired + refused),
    waited: sum(({ waited, refused }) => waited + refused),
    waitedMs: sum(({ waitedMs }) => waitedMs),
    cache: cache?.() ?? null,
  };
}

/** What is asked for when it is scraped; the result asks the database, before the rest. */
function registerSources(
  register: Registry,
  { pools, cache, engine }: MetricSources,
): () => Promise<void> {
  const gauge = (name: string, help: string, labelNames: string[], collect?: () => void) =>
    new Gauge({ name, help, labelNames, registers: [register], ...(collect && { collect }) });
  const connections = gauge(
    'millrace_pool_connections',
    'Connections of a pool by state: used, idle; max is how many there may be.',
    ['pool', 'state'],
    () => {
      for (const { pool, open, idle, max } of pools()) {
        connections.set({ pool, state: 'used' }, open - idle);
        connections.set({ pool, state: 'idle' }, idle);
        connections.set({ pool, state: 'max' }, max);
      }
    },
  );
  const waiting = gauge(
    'millrace_pool_waiting',
    'Requests that wait for a connection now.',
    ['pool'],
    () => {
      for (const { pool, waiting: count } of pools()) waiting.set({ pool }, count);
    },
  );
  const total = (name: string, help: string, of: (pool: PoolStatistics) => number) => {
    const counter = new Counter({
      name,
      help,
      labelNames: ['pool'],
      registers: [register],
      collect() {
        counter.reset();
        for (const statistics of pools()) counter.inc({ pool: statistics.pool }, of(statistics));
      },
    });
  };
  total('millrace_pool_acquired_total', 'Connections handed out.', ({ acquired }) => acquired);
  total('millrace_pool_waited_total', 'Those that were waited for.', ({ waited }) => waited);
  total(
    'millrace_pool_wait_seconds_total',
    'How long, in all.',
    ({ waitedMs }) => waitedMs / 1_000,
  );
  total('millrace_pool_refused_total', 'Requests that got none in time.', ({ refused }) => refused);
  const ticks = (name: string, help: string, of: (statistics: TickStatistics) => number) => {
    const counter = new Counter({
      name,
      help,
      registers: [register],
      collect() {
        const statistics = tickStatistics();
        counter.reset();
        if (statistics === null) counter.remove();
        else counter.inc(of(statistics));
      },
    });
  };
  ticks('millrace_ticks_total', 'Ticks of this process.', (it) => it.ticks);
  ticks('millrace_tick_failures_total', 'Ticks that failed.', (it) => it.failures);
  ticks('millrace_tick_seconds_total', 'How long ticks took, in all.', (it) => it.duration / 1_000);
  if (cache) {
    const lookups = new Counter({
      name: 'millrace_cache_lookups_total',
      help: 'Responses from the cache (hit) and made (miss), of those that could be kept.',
      labelNames: ['result'],
      registers: [register],
      collect() {
        const statistics = cache();
        lookups.reset();
        if (statistics === null) return;
        lookups.inc({ result: 'hit' }, statistics.hits);
        lookups.inc({ result: 'miss' }, statistics.misses);
      },
    });
    const entries = gauge('millrace_cache_entries', 'Responses in the cache.', [], () => {
      entries.set(cache()?.entries ?? 0);
    });
    const connected = gauge(
      'millrace_cache_redis_connected',
      'Whether the Redis that hosts share their answers in is there (1) or away (0).',
      [],
      () => {
        const redis = cache()?.redis;
        if (redis) connected.set(redis.connected ? 1 : 0);
        else connected.remove();
      },
    );
  }
  return engine ? registerEngine(register, gauge, engine) : () => Promise.resolve();
}

/**
 * What the database says, asked for once by all of its metrics together.
 *
 * @returns asks, unless it has been asked just now; never rejected.
 */
function registerEngine(
  register: Registry,
  gauge: (name: string, help: string, labels: string[]) => Gauge,
  ask: () => Promise<EngineMetrics>,
): () => Promise<void> {
  const staleness = gauge(
    'millrace_staleness_seconds',
    'Age of the oldest change that a derivation does not show yet; exact reads do.',
    ['derivation', 'kind'],
  );
  const pending = gauge(
    'millrace_pending_rows',
    'Log rows of a source that no drain has taken yet, counted up to 100,000.',
    ['source'],
  );
  const waiting = gauge('millrace_waiting_keys', 'Keys that wait for a job.', ['derivation']);
  const failed = gauge('millrace_failed', 'Derivations and keys that fail.', ['derivation']);
  const state = gauge('millrace_derivations', 'Derivations by state.', ['state']);
  const runs = new Counter({
    name: 'millrace_runs_total',
    help: 'Drains and recounts that found something to do.',
    registers: [register],
  });
  const lastRun = gauge('millrace_last_drain_seconds', 'When a drain last did, since 1970.', []);
  const tickers = gauge('millrace_tickers', 'Tickers that are connected.', []);
  const workers = gauge('millrace_worker_hosts', 'Worker pools with a heartbeat.', []);
  const drift = gauge('millrace_drift_keys', 'Keys found wrong in the last hour.', []);
  const jobs = gauge('millrace_jobs', 'Jobs of graphile-worker by state.', ['state']);
  const alerts = gauge('millrace_alert_firing', '1 while an alert rule fires.', ['rule']);
  const connections = gauge(
    'millrace_database_connections',
    'Connections to the server: used, and max, which it allows.',
    ['state'],
  );
  const blocks = new Counter({
    name: 'millrace_database_blocks_total',
    help: 'Blocks of the database found in memory (hit) and read from the system (read).',
    labelNames: ['result'],
    registers: [register],
  });
  const up = gauge('millrace_database_up', '1 when the database answered this scrape.', []);
  const seconds = gauge(
    'millrace_database_scrape_seconds',
    'How long the database took to answer this scrape.',
    [],
  );
  const labelled = [staleness, pending, waiting, failed, state, jobs, alerts, connections, blocks];
  const single = [runs, lastRun, tickers, workers, drift];
  let askedAt = Number.NEGATIVE_INFINITY;
  let asking: Promise<void> | null = null;

  async function refresh(): Promise<void> {
    let answer: EngineMetrics;
    try {
      answer = await ask();
    } catch {
      // Old values would look like new ones.
      for (const metric of [...labelled, ...single]) metric.reset();
      // Not zero: nobody knows.
      for (const metric of single) metric.remove();
      up.set(0);
      return;
    }
    for (const metric of [...labelled, ...single]) metric.reset();
    up.set(1);
    for (const it of answer.derivations) {
      staleness.set({ derivation: it.name, kind: it.kind }, it.staleness);
      failed.set({ derivation: it.name }, it.failed);
      if (it.kind !== 'counter') waiting.set({ derivation: it.name }, it.waiting);
      state.inc({ state: it.state });
    }
    for (const log of answer.logs) pending.set({ source: log.source }, log.pending);
    for (const it of ['ready', 'scheduled', 'running', 'failing', 'dead'])
      jobs.set({ state: it }, 0);
    for (const it of answer.jobs) jobs.set({ state: it.state }, it.jobs);
    for (const it of answer.alerts) alerts.set({ rule: it.rule }, it.firing);
    connections.set({ state: 'used' }, answer.connections.used);
    connections.set({ state: 'max' }, answer.connections.max);
    if (answer.blocks) {
      blocks.inc({ result: 'hit' }, answer.blocks.hit);
      blocks.inc({ result: 'read' }, answer.blocks.read);
    }
    runs.inc(answer.runs);
    if (answer.lastRunAt !== null) lastRun.set(answer.lastRunAt);
    tickers.set(answer.tickers);
    workers.set(answer.hosts);
    drift.set(answer.drift);
  }

  return async () => {
    const now = performance.now();
    if (now - askedAt < ENGINE_TTL) return;
    asking ??= refresh().finally(() => {
      asking = null;
      askedAt = performance.now();
      seconds.set((askedAt - now) / 1_000);
    });
    await asking;
  };
}
