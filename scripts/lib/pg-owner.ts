import pg from 'pg';
import { InstallError } from './install-error.ts';
import { log } from './log.ts';
import { ENGINE } from './scope.ts';

/**
 * Settings of a connection of the host's own work: it is the owner from its start-up packet on,
 * whatever the database or the login has set for its sessions.
 */
export function ownerConfig(
  connectionString: string,
  name: string,
  role = 'app_owner',
): pg.ClientConfig {
  const settings = {
    role,
    statement_timeout: '0',
    default_transaction_isolation: 'read committed',
    default_transaction_read_only: 'off',
  };
  const options = Object.entries(settings).map(([key, value]) => startupOption(key, value));
  return {
    connectionString: withStartupOptions(connectionString, options.join(' ')),
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

/** A setting as a start-up option: spaces and backslashes of the value are escaped. */
function startupOption(name: string, value: string): string {
  return `-c ${name}=${value.replace(/[\\\s]/g, '\\$&')}`;
}

/** A pool of such connections. */
export function ownerPool(
  connectionString: string,
  name: string,
  max: number,
  role?: string,
): pg.Pool {
  return guarded(new pg.Pool({ ...ownerConfig(connectionString, name, role), max }), name);
}

/** The engine of a database, as a host has to know it. */
export interface Engine {
  /** The role that its work is done as. */
  role: string;
  /** Whether there is nothing but the engine: npm run install-engine has put it there. */
  alone: boolean;
}

/**
 * Looks the engine of a database up.
 *
 * @throws InstallError MR057 when there is none.
 */
export async function findEngine(connectionString: string): Promise<Engine> {
  const client = new pg.Client({ connectionString, application_name: 'millrace host' });
  await client.connect();
  try {
    const { rows } = await client.query<Engine>(
      `select pg_catalog.pg_get_userbyid(nspowner) as role, to_regnamespace($1) is not null as alone
      from pg_catalog.pg_namespace where nspname = 'millrace'`,
      [ENGINE.bookkeeping],
    );
    if (rows[0]) return rows[0];
    throw new InstallError('MR057', 'This database has no engine', {
      detail: 'There is no schema millrace.',
      hint: 'npm run migrate -- up, or in a database of your own: npm run install-engine.',
    });
  } finally {
    await client.end();
  }
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
