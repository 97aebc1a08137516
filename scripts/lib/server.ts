import './graphile-env.ts';

import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { WithPgClient } from 'postgraphile/@dataplan/pg';
import type { SafeError } from 'postgraphile/grafast';
import { grafserv } from 'postgraphile/grafserv/node';
import {
  type ExecutionArgs,
  type GraphQLSchema,
  getOperationAST,
  NoSchemaIntrospectionCustomRule,
  printSchema,
} from 'postgraphile/graphql';
import { handleAnalysisPage } from './analysis-page.ts';
import { startAnnouncements } from './announcements.ts';
import { identityPlugin, identitySettings, watchSessions } from './api-identity.ts';
import { loadPersistedOperations, persistedPlugin } from './api-persisted.ts';
import { RequestsPlugin } from './api-requests.ts';
import { API_SCHEMAS, makeApiSchema } from './api-schema.ts';
import { LISTENER_HEARTBEAT, makeResponseCache, type ResponseCache } from './cache.ts';
import { makeReadsOf, ReadsPlugin } from './cache-reads.ts';
import { ConfigError, type ServerSettings } from './config.ts';
import { handleGuest } from './guest.ts';
import { startHostReports } from './host-report.ts';
import { setSecurityHeaders } from './http-headers.ts';
import { sendJson } from './http-json.ts';
import { log } from './log.ts';
import { engineMetrics, measureStatements } from './measure.ts';
import { type Metrics, makeMetrics } from './metrics.ts';
import { handleMetrics, type MetricsEndpoint } from './metrics-endpoint.ts';
import { type OperatorEndpoint, startOperator } from './operator.ts';
import { makeOwnRequests } from './own-requests.ts';
import {
  ANONYMOUS_ROLE,
  type ApiPools,
  type ApiSettings,
  endApiPools,
  makeApiPools,
  makeWithPgClient,
} from './pg-service.ts';
import {
  divideConnections,
  examineDatabase,
  listenUrl,
  openConnections,
  type PoolStatistics,
  poolStatistics,
} from './pools.ts';
import {
  addressOf,
  isDoor,
  makeRateLimiter,
  type RateLimiter,
  type RateLimitStatistics,
  rateLimitPlugin,
} from './rate-limit.ts';
import { handleHealth, ownMigrations, type ReadinessSources } from './readiness.ts';
import { makeRedisCache } from './redis-cache.ts';
import { makeSlowStatements } from './slow-statements.ts';
import { limitSocket } from './socket-limit.ts';

export interface ServerOptions extends Partial<ServerSettings> {
  /** Login app_authenticator. */
  connectionString: string;
  /** Key of the access tokens. */
  key: Uint8Array;
  host: string;
  port: number;
  /** Ruru at `/`, and introspection, which it needs. */
  development: boolean;
  /** Connections of each pool, in place of `pool`, which is of all together. */
  poolSize?: number;
  /** Login app_operator_login: the operator endpoint is served too. */
  operatorConnectionString?: string | null;
  /** What a scraper of `/metrics` has to bring; null: scrapers of this machine need nothing. */
  metricsToken?: string | null;
}

export interface ApiServer {
  /** Where it listens, without a path. */
  url: string;
  /** Serves the schema of the database as it is now; requests under way are not disturbed. */
  reload(): Promise<void>;
  /** What the connections to the database are doing. */
  poolStatistics(): PoolStatistics[];
  /** What the cache holds and has given; null when there is none. */
  cacheStatistics(): ReturnType<ResponseCache['statistics']> | null;
  /** Forgets all kept answers, on all hosts that share a Redis. */
  clearCache(): Promise<void>;
  /** How many requests were counted and refused by rate limits. */
  rateLimitStatistics(): RateLimitStatistics[];
  /** Takes no more requests, lets those under way finish (at most 10 s), closes all connections. */
  stop(): Promise<void>;
}

/** How long requests under way may take when the server stops, in milliseconds. */
const DRAIN_TIMEOUT = 10_000;

/**
 * Starts the HTTP server: GraphQL at `/graphql` (subscriptions over web sockets), `/healthz`, `/readyz`,
 * `/metrics`, `POST /auth/guest`, `/analysis/<conversation>`, `/operator/graphql`.
 *
 * @throws ConfigError when the address cannot be listened on; OP014 when the database has no API.
 */
export async function startServer(options: ServerOptions): Promise<ApiServer> {
  const operations = options.persistedOperations
    ? await loadPersistedOperations(options.persistedOperations)
    : null;
  const { pools, listenAt } = await openPools(options);
  try {
    await requireMigrated(pools);
  } catch (error) {
    await endApiPools(pools);
    throw error;
  }
  // What the host itself asks; what requests ask is measured.
  const withPgClient = makeWithPgClient(pools);
  const slowStatements = makeSlowStatements(withPgClient);
  const metrics: Metrics = makeMetrics({
    pools: () => poolStatistics(pools),
    cache: () => cache?.statistics() ?? null,
    engine: () => engineMetrics(withPgClient),
  });
  const measure = measureStatements(metrics, slowStatements);
  const withMeasured = makeWithPgClient(pools, false, measure.observe);
  // A replica may not have yet what was announced.
  const withPrimary = options.readConnectionString
    ? makeWithPgClient(pools, true, measure.observe)
    : withMeasured;
  const isCaching = (options.cacheMegabytes ?? 0) > 0;
  const announcements = startAnnouncements({
    connectionString: listenAt,
    ...(isCaching && { heartbeat: LISTENER_HEARTBEAT }),
  });
  // Answers of one schema of one database; another deployment beside it has others.
  let cachePrefix = 'millrace';
  const redis =
    isCaching && options.redisUrl ? makeRedisCache(options.redisUrl, () => cachePrefix) : null;
  const cache = isCaching
    ? makeResponseCache({
        megabytes: options.cacheMegabytes!,
        announcements,
        readsReplica: Boolean(options.readConnectionString),
        persisted: operations,
        redis,
        nameRequest: metrics.nameRequest,
      })
    : null;
  const prepareCache = async (schema: GraphQLSchema) => {
    if (cache === null) return;
    cachePrefix = `millrace:${schemaHash(schema, options.connectionString)}`;
    const reads = await makeReadsOf(schema, withPgClient, [...API_SCHEMAS, 'app_hidden']);
    cache.setSchema(reads, await announcedRelations(withPgClient));
  };
  const { trustProxy = 0, rateLimits = { account: 0, address: 0, door: 0 } } = options;
  const limiter = makeRateLimiter(rateLimits, withPgClient);
  const own = makeOwnRequests();
  const extension: GraphileConfig.Preset = {
    plugins: [
      metrics.plugin,
      RequestsPlugin,
      identityPlugin(options.key),
      ...(operations === null ? [] : [persistedPlugin(operations, own)]),
      ...(cache === null ? [] : [cache.plugin, ReadsPlugin]),
      rateLimitPlugin(limiter, trustProxy, own),
      ...(options.development ? [] : [NoIntrospectionPlugin]),
    ],
    grafast: {
      context: (request, args) => ({
        pgSettings: measure.settings(identitySettings(request, args), request.node?.res),
        withPgClient: isSubscription(args) ? withPrimary : withMeasured,
        tokenKey: options.key,
        // PostGraphile's own messages are text; these are what SubscriptionsPlugin reads.
        pgSubscriber: announcements as unknown as Grafast.Context['pgSubscriber'],
      }),
    },
    // A query by GET has an address, so that caches on the way can ask whether it has changed.
    grafserv: { graphiql: options.development, graphqlOverGET: isCaching },
  };
  const server = createServer({ keepAliveTimeout: 65_000, requestTimeout: 30_000 });
  const reports = startHostReports(withPgClient, metrics, slowStatements);
  let operator: OperatorEndpoint | null = null;
  try {
    if (options.operatorConnectionString) {
      operator = await startOperator({
        ...options,
        connectionString: options.operatorConnectionString,
      });
    }
    const health: ReadinessSources = {
      withPgClient,
      isListening: announcements.isListening,
      migrations: await ownMigrations(),
    };
    const scraped: MetricsEndpoint = {
      render: metrics.render,
      token: options.metricsToken ?? null,
    };
    const { schema, resolvedPreset } = await makeApiSchema(pools, extension);
    await prepareCache(schema);
    const api = grafserv({ schema, preset: resolvedPreset });
    await api.ready();
    const handle = api.createHandler();
    watchSessions(options.key, announcements, withPgClient);
    const upgrade = await api.getUpgradeHandler();
    server.on('upgrade', (request, socket, head) => {
      if (upgrade !== null && api.shouldHandleUpgrade(request, socket, head)) {
        limitSocket(socket, head, resolvedPreset.grafserv?.maxRequestLength ?? 100_000);
        upgrade(request, socket, head);
      } else {
        socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n');
      }
    });
    const url = () => `http://${urlHost(options.host)}:${(server.address() as AddressInfo).port}`;
    const apiFor = (request: IncomingMessage) => ({
      origin: url(),
      headers: own.headers(addressOf(request, trustProxy)),
    });
    const answer = (request: IncomingMessage, response: ServerResponse) => {
      if (handleHealth(health, request, response)) return;
      if (handleMetrics(scraped, request, response)) return;
      if (operator?.handle(request, response)) return;
      if (handleGuest(withPgClient, options.key, request, response)) return;
      if (handleAnalysisPage(() => apiFor(request), request, response)) return;
      if (request.url?.split('?')[0] === '/graphql') metrics.observeRequest(response);
      handle(request, response);
    };
    server.on('request', (request, response) => {
      setSecurityHeaders(request, response, options.development);
      if (isDoor(request)) {
        countDoor(limiter, addressOf(request, trustProxy), response).then(
          (mayPass) => mayPass && answer(request, response),
        );
      } else {
        answer(request, response);
      }
    });
    await listen(server, options.port, options.host);
    return {
      url: url(),
      poolStatistics: () => poolStatistics(pools),
      rateLimitStatistics: () => limiter.statistics(),
      cacheStatistics: () => cache?.statistics() ?? null,
      async clearCache() {
        await cache?.clear();
      },
      async reload() {
        const { schema } = await makeApiSchema(pools, extension);
        api.setSchema(schema);
        await prepareCache(schema);
      },
      async stop() {
        // First of all: open subscriptions would hold the server for as long as it waits.
        await announcements.release();
        await close(server);
        await api.release();
        await operator?.stop();
        await reports.stop();
        metrics.stop();
        await redis?.release();
        await endApiPools(pools);
      },
    };
  } catch (error) {
    await announcements.release();
    await operator?.stop();
    await reports.stop();
    metrics.stop();
    await redis?.release();
    await endApiPools(pools);
    throw error;
  }
}

/** The pools as the server and what is before it allow them, and where announcements are heard. */
async function openPools(options: ServerOptions): Promise<{ pools: ApiPools; listenAt: string }> {
  const { connectionString, readConnectionString, pool, pooler } = options;
  const examined = await examineDatabase(connectionString, pooler);
  const reading = readConnectionString
    ? await examineDatabase(readConnectionString, pooler)
    : examined;
  const listenAt = await listenUrl(
    connectionString,
    examined.pooled,
    options.directConnectionString ?? null,
  );
  const pools = makeApiPools({
    connectionString,
    readConnectionString: readConnectionString ?? connectionString,
    // What is right behind a pooler is right without one, only a little slower.
    pooled: examined.pooled || reading.pooled,
    poolSize: options.poolSize,
    sizes: pool && divideConnections(pool, least(examined.available, reading.available)),
  });
  try {
    await Promise.all([pools.anonymous, pools.reads, pools.writes].map(openConnections));
  } catch (error) {
    await endApiPools(pools);
    throw error;
  }
  return { pools, listenAt };
}

/** An older database serves (`/readyz` says what it lacks); one that was never migrated cannot. */
async function requireMigrated(pools: ApiPools): Promise<void> {
  const { rows } = await pools.anonymous.query<{ missing: string[] }>(
    `select array(
      select name from unnest($1::text[]) name
      where not exists (select from pg_catalog.pg_namespace where nspname = name)
    ) as missing`,
    [[...API_SCHEMAS, 'app_hidden']],
  );
  const { missing } = rows[0]!;
  if (missing.length === 0) return;
  throw new ConfigError(
    `OP014: The database is not migrated: there is no schema ${missing.join(', ')}. Run npm run ` +
      'migrate -- up with the login of the owner, or name another database.',
  );
}

/** Counts a request that opens a door; answers it itself and returns false when it is too much. */
async function countDoor(
  limiter: RateLimiter,
  address: string,
  response: ServerResponse,
): Promise<boolean> {
  try {
    await limiter.count('door', address);
    return true;
  } catch (error) {
    const { message, extensions } = error as SafeError<{ retryAfter?: number }>;
    const seconds = extensions?.retryAfter;
    if (seconds === undefined) {
      log.error({ err: error }, 'a request could not be counted');
      sendJson(response, 503, { error: 'Try again later' });
    } else {
      sendJson(response, 429, { error: message, ...extensions }, { 'retry-after': `${seconds}` });
    }
    return false;
  }
}

async function announcedRelations(withPgClient: WithPgClient): Promise<Set<string>> {
  const settings: ApiSettings = { role: ANONYMOUS_ROLE, transaction_read_only: 'on' };
  const { rows } = await withPgClient(settings, (client) =>
    client.query<{ relations: string[] }>({
      text: 'select app_hidden.announced_relations() as relations',
    }),
  );
  return new Set(rows[0]?.relations);
}

function schemaHash(schema: GraphQLSchema, connectionString: string): string {
  const { host, pathname } = new URL(connectionString);
  return createHash('sha1')
    .update(`${host}${pathname}\n${printSchema(schema)}`)
    .digest('base64url');
}

function least(one: number | null, other: number | null): number | null {
  if (one === null || other === null) return one ?? other;
  return Math.min(one, other);
}

function isSubscription({ document, operationName }: ExecutionArgs): boolean {
  return getOperationAST(document, operationName)?.operation === 'subscription';
}

const NoIntrospectionPlugin: GraphileConfig.Plugin = {
  name: 'MillraceNoIntrospectionPlugin',
  version: '0.0.0',
  grafserv: {
    middleware: {
      setPreset(next, event) {
        event.validationRules.push(NoSchemaIntrospectionCustomRule);
        return next();
      },
    },
  },
};

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const known: Record<string, string> = {
        EADDRINUSE: 'it is in use; set PORT to another one',
        EACCES: 'this user may not listen there; set PORT to 1024 or more',
        EADDRNOTAVAIL: 'this machine has no such address; set HOST to another one',
        ENOTFOUND: 'HOST is unknown',
      };
      const reason = known[error.code ?? ''];
      reject(
        reason === undefined
          ? error
          : new ConfigError(`Cannot listen on ${host}:${port}: ${reason}`, { cause: error }),
      );
    });
    server.listen(port, host, resolve);
  });
}

async function close(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), DRAIN_TIMEOUT);
  await closed;
  clearTimeout(timer);
}

/** How to reach an address from this machine: the wildcards are not addresses to connect to. */
function urlHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return 'localhost';
  return host.includes(':') ? `[${host}]` : host;
}
