import pg from 'pg';
import { log } from './log.ts';

/** Settings of a connection of the host's own work: it is app_owner from its start-up packet on. */
export function ownerConfig(connectionString: string, name: string): pg.ClientConfig {
  return {
    connectionString,
    application_name: `millrace ${name}`,
    options: '-c role=app_owner',
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    connectionTimeoutMillis: 10_000,
  };
}

/** A pool of such connections; the loss of one is logged and the connection replaced. */
export function ownerPool(connectionString: string, name: string, max: number): pg.Pool {
  const pool = new pg.Pool({ ...ownerConfig(connectionString, name), max });
  const report = (error: Error) => log.warn({ err: error, name }, 'a database connection was lost');
  pool.on('error', report);
  // Also while somebody has it: its statement fails, but the event must find a listener.
  pool.on('connect', (client) => client.on('error', report));
  return pool;
}
