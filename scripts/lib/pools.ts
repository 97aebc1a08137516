import pg from 'pg';
import { ConfigError } from './config.ts';
import { log } from './log.ts';
import { withStartupOptions } from './pg-owner.ts';

/*
 * How many connections a host opens, and what stands between it and Postgres.
 *
 * A pooler in transaction mode gives each transaction whatever connection is free. What belongs to a
 * session is lost on the way: start-up options, prepared statements, LISTEN. Whether one is there is
 * found out by asking for a start-up option and looking whether it has arrived.
 */

/** The pools of the API; each has connections of its own, so that one cannot starve another. */
export const POOL_NAMES = ['anonymous', 'reads', 'writes'] as const;
export type PoolName = (typeof POOL_NAMES)[number];

/** Connections of a pool: kept open, and at most. */
export interface PoolSize {
  min: number;
  max: number;
}

/** `auto`: found out at the start. */
export type Pooler = 'auto' | 'transaction' | 'none';

/** What a host has to know of the server behind a connection string. */
export interface Examined {
  /** A pooler drops what belongs to a session. */
  pooled: boolean;
  /** Connections that this login may have beside those that are reserved; null: not known. */
  available: number | null;
}

/** The share of the server's connections that one host takes at most: others need some too. */
const SHARE = 0.8;
const PROBE = 'millrace.startup_probe';

/**
 * Connects once and looks.
 *
 * @throws ConfigError OP011 for a pooler where `pooler` says that there is none.
 */
export async function examineDatabase(
  connectionString: string,
  pooler: Pooler = 'auto',
): Promise<Examined> {
  if (pooler === 'transaction') return { pooled: true, available: null };
  const client = new pg.Client({
    connectionString: withStartupOptions(connectionString, `-c ${PROBE}=arrived`),
    application_name: 'millrace start',
    connectionTimeoutMillis: 10_000,
  });
  // The failure of the connection is the failure of what waits for it.
  client.on('error', () => undefined);
  let examined: Examined;
  try {
    await client.connect();
    const { rows } = await client.query<{ pooled: boolean; available: number }>(
      `select current_setting($1, true) is distinct from 'arrived' as pooled,
        least(
          current_setting('max_connections')::int
            - current_setting('superuser_reserved_connections')::int
            - coalesce(current_setting('reserved_connections', true)::int, 0),
          (select nullif(rolconnlimit, -1) from pg_catalog.pg_roles where rolname = session_user)
        ) as available`,
      [PROBE],
    );
    const { pooled, available } = rows[0]!;
    examined = { pooled, available: pooled ? null : available };
  } catch (error) {
    if (!isRefusedOption(error)) throw error;
    examined = { pooled: true, available: null };
  } finally {
    await client.end().catch(() => undefined);
  }
  if (examined.pooled && pooler === 'none') {
    throw new ConfigError(
      'OP011: DATABASE_POOLER=none, but start-up options do not reach Postgres: something between ' +
        'this host and the server, a pooler perhaps, drops them. Connect directly, or leave ' +
        'DATABASE_POOLER away.',
    );
  }
  return examined;
}

/**
 * For whoever works as the owner: its role and its settings are start-up options, and a pooler that
 * drops them would have it make objects as somebody else.
 *
 * @throws ConfigError OP015 where something drops start-up options.
 */
export async function requireDirect(connectionString: string): Promise<void> {
  const { pooled } = await examineDatabase(connectionString);
  if (!pooled) return;
  throw new ConfigError(
    'OP015: DATABASE_URL leads to a pooler: what belongs to a session (role and settings, LISTEN, ' +
      'prepared statements) does not reach Postgres. Give the address of Postgres itself; only npm ' +
      'run serve works behind a pooler.',
  );
}

/** PgBouncer refuses start-up parameters that it does not know, unless it is told to ignore them. */
function isRefusedOption(error: unknown): boolean {
  const { code, message } = error as { code?: string; message?: string };
  return code === '08P01' && /unsupported startup parameter/.test(message ?? '');
}

/**
 * The connection on which announcements are listened for.
 *
 * @param direct `DIRECT_DATABASE_URL`.
 * @throws ConfigError OP012 when there is a pooler and no way around it.
 */
export async function listenUrl(
  connectionString: string,
  pooled: boolean,
  direct: string | null,
): Promise<string> {
  if (direct === null) {
    if (!pooled) return connectionString;
    throw new ConfigError(
      'OP012: The database is reached through a pooler in transaction mode, where LISTEN does not ' +
        'work: subscriptions and the cache would miss what changes. Set DIRECT_DATABASE_URL to the ' +
        'address of Postgres itself; one connection is made there.',
    );
  }
  if ((await examineDatabase(direct)).pooled) {
    throw new ConfigError(
      'OP012: DIRECT_DATABASE_URL leads to a pooler too; it has to be the address of Postgres itself.',
    );
  }
  return direct;
}

/**
 * The sizes of the pools: of all connections that a host may have, four tenths are for visitors,
 * three for what accounts read and three for what they write; and no more than the server has.
 *
 * @param wanted of all pools together.
 * @throws ConfigError OP013 when the server has not enough for one connection in each.
 */
export function divideConnections(
  wanted: PoolSize,
  available: number | null,
): Record<PoolName, PoolSize> {
  const bound = available === null ? wanted.max : Math.floor(available * SHARE);
  const max = Math.min(wanted.max, bound);
  if (max < POOL_NAMES.length) {
    throw new ConfigError(
      `OP013: The database has ${available} connections for this login, too few for the ` +
        `${POOL_NAMES.length} pools of the API; raise max_connections or the role's limit.`,
    );
  }
  if (max < wanted.max) {
    log.warn({ wanted: wanted.max, max, available }, 'fewer connections than POOL_MAX: OP013');
  }
  const most = divide(max);
  const least = divide(Math.min(wanted.min, max));
  const size = (name: PoolName) => ({ min: Math.min(least[name], most[name]), max: most[name] });
  return { anonymous: size('anonymous'), reads: size('reads'), writes: size('writes') };
}

function divide(connections: number): Record<PoolName, number> {
  const writes = Math.floor(connections * 0.3);
  const reads = Math.floor(connections * 0.3);
  return { anonymous: connections - writes - reads, reads, writes };
}

/** What a pool is doing, and what has been waited for its connections since the start. */
export interface PoolStatistics extends PoolSize {
  pool: PoolName;
  /** Connections that are open, and of them those that nobody uses now. */
  open: number;
  idle: number;
  /** Requests that wait for a connection now. */
  waiting: number;
  /** Connections handed out since the start, and how many of those others had to give back first. */
  acquired: number;
  waited: number;
  /** Milliseconds waited in all, and at most by one. */
  waitedMs: number;
  longestWaitMs: number;
  /** Requests that got none in time. */
  refused: number;
}

const waits = new WeakMap<pg.Pool, Waits>();
type Waits = Pick<PoolStatistics, 'acquired' | 'waited' | 'waitedMs' | 'longestWaitMs' | 'refused'>;

/** A connection of the pool; how long it was waited for is counted. */
export async function acquire(pool: pg.Pool): Promise<pg.PoolClient> {
  const counted = waitsOf(pool);
  // A connection that is opened takes a moment, too; but nobody has to give one back for it.
  const isExhausted = pool.idleCount === 0 && pool.totalCount >= pool.options.max;
  const start = performance.now();
  try {
    const connection = await pool.connect();
    counted.acquired += 1;
    if (isExhausted) {
      const ms = performance.now() - start;
      counted.waited += 1;
      counted.waitedMs += ms;
      counted.longestWaitMs = Math.max(counted.longestWaitMs, ms);
    }
    return connection;
  } catch (error) {
    counted.refused += 1;
    throw error;
  }
}

function waitsOf(pool: pg.Pool): Waits {
  const known = waits.get(pool);
  if (known !== undefined) return known;
  const made = { acquired: 0, waited: 0, waitedMs: 0, longestWaitMs: 0, refused: 0 };
  waits.set(pool, made);
  return made;
}

/** What each pool is doing. */
export function poolStatistics(pools: Record<PoolName, pg.Pool>): PoolStatistics[] {
  return POOL_NAMES.map((name) => {
    const pool = pools[name];
    return {
      pool: name,
      min: pool.options.min ?? 0,
      max: pool.options.max,
      open: pool.totalCount,
      idle: pool.idleCount,
      waiting: pool.waitingCount,
      ...waitsOf(pool),
    };
  });
}

/** Opens the connections that a pool keeps. */
export async function openConnections(pool: pg.Pool): Promise<void> {
  const count = pool.options.min ?? 0;
  const opened = await Promise.allSettled(Array.from({ length: count }, () => pool.connect()));
  for (const result of opened) if (result.status === 'fulfilled') result.value.release();
  const failed = opened.find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
}
