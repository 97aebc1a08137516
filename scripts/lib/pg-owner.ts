import pg from 'pg';
import { log } from './log.ts';

/** Settings of a connection of the host's own work: it is app_owner from its start-up packet on. */
export function ownerConfig(connectionString: string, name: string): pg.ClientConfig {
  return {
    connectionString: withStartupOptions(connectionString, '-c role=app_owner'),
    application_name: `millrace ${name}`,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    connectionTimeoutMillis: 10_000,
  };
}

/**
 * A connection string with further start-up options (`-c name=value`). Those that it has already are
 * kept, and ours come last, where they win; given beside the string, they would be dropped.
 */
export function withStartupOptions(connectionString: string, options: string): string {
  const url = new URL(connectionString);
  const present = url.searchParams.get('options');
  url.searchParams.set('options', present === null ? options : `${present} ${options}`);
  return url.href;
}

/** A pool of such connections. */
export function ownerPool(connectionString: string, name: string, max: number): pg.Pool {
  return guarded(new pg.Pool({ ...ownerConfig(connectionString, name), max }), name);
}

/**
 * A pool that survives the loss of its connections: idle ones are replaced, the statement under way
 * on another fails. A loss is logged once, and not at all while the pool is being closed.
 */
export function guarded(pool: pg.Pool, name: string): pg.Pool {
  const report = (error: Error & { code?: string }) => {
    if (pool.ending) return;
    log.warn({ pool: name, code: error.code, reason: error.message }, 'a connection was lost');
  };
  pool.on('error', report);
  // While somebody has the connection: the event has to find a listener.
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}
