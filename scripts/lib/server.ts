import './graphile-env.ts';

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { grafserv } from 'postgraphile/grafserv/node';
import { NoSchemaIntrospectionCustomRule } from 'postgraphile/graphql';
import { handleAnalysisPage } from './analysis-page.ts';
import { startAnnouncements } from './announcements.ts';
import { identityPlugin, identitySettings } from './api-identity.ts';
import { makeApiSchema } from './api-schema.ts';
import { ConfigError } from './config.ts';
import { handleGuest } from './guest.ts';
import { handleHealth } from './health.ts';
import { endApiPools, makeApiPools, makeWithPgClient } from './pg-service.ts';

export interface ServerOptions {
  /** Login app_authenticator. */
  connectionString: string;
  /** Key of the access tokens. */
  key: Uint8Array;
  host: string;
  port: number;
  /** Ruru at `/`, and introspection, which it needs. */
  development: boolean;
  /** Connections of each pool. */
  poolSize?: number;
}

export interface ApiServer {
  /** Where it listens, without a path. */
  url: string;
  /** Serves the schema of the database as it is now; requests under way are not disturbed. */
  reload(): Promise<void>;
  /** Takes no more requests, lets those under way finish (at most 10 s), closes all connections. */
  stop(): Promise<void>;
}

/** How long requests under way may take when the server stops, in milliseconds. */
const DRAIN_TIMEOUT = 10_000;

/**
 * Starts the HTTP server: GraphQL at `/graphql` (subscriptions over web sockets), `/healthz`, `/readyz`,
 * `POST /auth/guest`, `/analysis/<conversation>`.
 *
 * @throws ConfigError when the address cannot be listened on.
 */
export async function startServer(options: ServerOptions): Promise<ApiServer> {
  const pools = makeApiPools(options);
  const withPgClient = makeWithPgClient(pools);
  const announcements = startAnnouncements(options);
  const extension: GraphileConfig.Preset = {
    plugins: [identityPlugin(options.key), ...(options.development ? [] : [NoIntrospectionPlugin])],
    grafast: {
      context: (request, args) => ({
        pgSettings: identitySettings(request, args),
        withPgClient,
        // PostGraphile's own messages are text; these are what SubscriptionsPlugin reads.
        pgSubscriber: announcements as unknown as Grafast.Context['pgSubscriber'],
      }),
    },
    grafserv: { graphiql: options.development },
  };
  const server = createServer({ keepAliveTimeout: 65_000, requestTimeout: 30_000 });
  try {
    const { schema, resolvedPreset } = await makeApiSchema(pools, extension);
    const api = grafserv({ schema, preset: resolvedPreset });
    await api.ready();
    const handle = api.createHandler();
    const upgrade = await api.getUpgradeHandler();
    server.on('upgrade', (request, socket, head) => {
      if (upgrade !== null && api.shouldHandleUpgrade(request, socket, head)) {
        upgrade(request, socket, head);
      } else {
        socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n');
      }
    });
    const url = () => `http://${urlHost(options.host)}:${(server.address() as AddressInfo).port}`;
    server.on('request', (request, response) => {
      if (handleHealth(withPgClient, request, response)) return;
      if (handleGuest(withPgClient, options.key, request, response)) return;
      if (handleAnalysisPage(url, request, response)) return;
      handle(request, response);
    });
    await listen(server, options.port, options.host);
    return {
      url: url(),
      async reload() {
        api.setSchema((await makeApiSchema(pools, extension)).schema);
      },
      async stop() {
        // First of all: open subscriptions would hold the server for as long as it waits.
        await announcements.release();
        await close(server);
        await api.release();
        await endApiPools(pools);
      },
    };
  } catch (error) {
    await announcements.release();
    await endApiPools(pools);
    throw error;
  }
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
