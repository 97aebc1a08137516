import { createHash } from 'node:crypto';
import pg from 'pg';
import type {
  PgClient,
  PgClientQuery,
  PgClientResult,
  WithPgClient,
} from 'postgraphile/@dataplan/pg';
import type { GrafastSubscriber } from 'postgraphile/grafast';
import { log } from './log.ts';
import { type FlushResult, type FlushStatement, flush } from './pg-flush.ts';
import { guarded, withStartupOptions } from './pg-owner.ts';

/*
 * How PostGraphile reaches Postgres. Its own adaptor sends begin, set_config, the query and commit
 * one after the other: four round trips. This one sends each query as one flush:
 *
 * - an anonymous read is the query alone, on a connection that has been app_anonymous and read-only
 *   since its start-up packet. Nobody else's statement ever runs on such a connection, and there
 *   `reset role` and `discard all` lead back to app_anonymous;
 * - everything else is set_config of the identity (local to the transaction) and the query in one
 *   flush, which is one transaction: see pg-flush.ts. Between two requests a connection is the bare
 *   login, which has no rights.
 */

export const ANONYMOUS_ROLE = 'app_anonymous';

/** What a request may be: settings local to its transaction. */
export interface ApiSettings extends Record<string, string | undefined> {
  role: string;
  /** Set on for queries: a read cannot write, whatever it calls. */
  transaction_read_only?: 'on';
}

export interface ApiPools {
  anonymous: pg.Pool;
  identified: pg.Pool;
}

export interface ApiPoolOptions {
  /** Login app_authenticator. */
  connectionString: string;
  /** Connections of each of the two pools. Default 10. */
  poolSize?: number;
}

declare global {
  // biome-ignore lint/style/noNamespace: grafast takes the types of its context this way.
  namespace Grafast {
    interface Context {
      pgSettings: Record<string, string | undefined> | null;
      withPgClient: WithPgClient;
      pgSubscriber: GrafastSubscriber<Record<string, string>> | null;
    }
  }
  // biome-ignore lint/style/noNamespace: graphile-config takes the types of an adaptor this way.
  namespace GraphileConfig {
    interface PgAdaptors {
      millrace: { adaptorSettings: ApiPools; makePgServiceOptions: never; client: PgClient };
    }
  }
}

/**
 * The two pools. Connections are opened when first needed; a failure of an idle one is logged and
 * the connection replaced.
 */
export function makeApiPools({ connectionString, poolSize = 10 }: ApiPoolOptions): ApiPools {
  const make = (application_name: string, options: string) => {
    const pool = new pg.Pool({
      connectionString: withStartupOptions(connectionString, options),
      application_name,
      max: poolSize,
      connectionTimeoutMillis: 5_000,
      idleTimeoutMillis: 60_000,
      keepAlive: true,
      // Longer than the statement_timeout of the login: only a server that no longer answers gets
      // here, and then the connection is dropped.
      query_timeout: 30_000,
    });
    return guarded(pool, application_name);
  };
  return {
    // Compiling costs more than it gains for short statements.
    anonymous: make(
      'millrace api (anonymous)',
      `-c jit=off -c role=${ANONYMOUS_ROLE} -c default_transaction_read_only=on`,
    ),
    identified: make('millrace api', '-c jit=off'),
  };
}

/** Closes both pools once their running statements are answered. */
export async function endApiPools(pools: ApiPools): Promise<void> {
  await Promise.all([pools.anonymous.end(), pools.identified.end()]);
}

/** The PostGraphile service over the two pools; the caller ends the pools. */
export function makeApiPgService(
  pools: ApiPools,
  schemas: string[],
): GraphileConfig.PgServiceConfiguration<'millrace'> {
  return {
    name: 'main',
    schemas,
    pgSettingsKey: 'pgSettings',
    withPgClientKey: 'withPgClient',
    pgSubscriberKey: 'pgSubscriber',
    pgSubscriber: null,
    adaptor: {
      createWithPgClient: (settings: ApiPools) => makeWithPgClient(settings),
      makePgService: () => {
        throw new Error('Call makeApiPgService()');
      },
    },
    adaptorSettings: pools,
  };
}

/** The function by which PostGraphile runs its statements under the settings of a request. */
export function makeWithPgClient(pools: ApiPools): WithPgClient {
  const readers = new WeakMap<object, Reader>();
  return async (pgSettings, callback) => {
    const anonymous = pgSettings != null && isAnonymousRead(pgSettings);
    const pool = anonymous ? pools.anonymous : pools.identified;
    const settings = anonymous || pgSettings == null ? [] : [settingsStatement(pgSettings)];
    const role = pgSettings?.role ?? 'login';
    return callback({
      async query<TData>(query: PgClientQuery): Promise<PgClientResult<TData>> {
        const statement = queryStatement(role, query);
        const result =
          pgSettings != null && query.name !== undefined
            ? await read(readers, pgSettings, pool, settings, statement)
            : await withConnection(pool, (connection) => run(connection, settings, statement));
        return result as PgClientResult<TData>;
      },
      withTransaction: (inner) =>
        withConnection(pool, (connection) => transaction(connection, settings, role, inner)),
    } as PgClient);
  };
}

/** The reads of one request that wait to be sent together. */
type Reader = {
  statement: FlushStatement;
  resolve: (result: FlushResult) => void;
  reject: (error: unknown) => void;
}[];

/**
 * Runs a read together with the others that its request asks for at the same time (fields that do
 * not depend on each other): one flush, one connection, one round trip. When one of them fails,
 * which fails all of a transaction, each is run again by itself. Reads are what PostGraphile gives a
 * name; a mutation has none and is never run twice.
 */
function read(
  readers: WeakMap<object, Reader>,
  request: object,
  pool: pg.Pool,
  settings: FlushStatement[],
  statement: FlushStatement,
): Promise<FlushResult> {
  return new Promise((resolve, reject) => {
    const waiting = readers.get(request);
    if (waiting !== undefined) {
      waiting.push({ statement, resolve, reject });
      return;
    }
    const reads: Reader = [{ statement, resolve, reject }];
    readers.set(request, reads);
    setImmediate(() => {
      readers.delete(request);
      withConnection(pool, (connection) => sendReads(connection, settings, reads)).catch(
        (error: unknown) => {
          for (const { reject } of reads) reject(error);
        },
      );
    });
  });
}

async function sendReads(
  connection: pg.PoolClient,
  settings: FlushStatement[],
  reads: Reader,
): Promise<void> {
  try {
    const results = await flush(connection, [...settings, ...reads.map((it) => it.statement)]);
    for (const [index, { resolve }] of reads.entries()) resolve(results[settings.length + index]!);
  } catch (error) {
    if (reads.length === 1 || !isReusable(connection, error)) throw error;
    for (const { statement, resolve, reject } of reads) {
      await run(connection, settings, statement).then(resolve, reject);
    }
  }
}

/** Whether a connection of the anonymous pool already is all that the settings ask for. */
function isAnonymousRead(settings: Record<string, string | undefined>): boolean {
  return (
    Object.entries(settings).every(
      ([name, value]) =>
        value === undefined ||
        (name === 'role' && value === ANONYMOUS_ROLE) ||
        (name === 'transaction_read_only' && value === 'on'),
    ) &&
    settings.role === ANONYMOUS_ROLE &&
    settings.transaction_read_only === 'on'
  );
}

async function withConnection<T>(
  pool: pg.Pool,
  work: (connection: pg.PoolClient) => Promise<T>,
): Promise<T> {
  const connection = await pool.connect();
  let failure: unknown;
  try {
    return await work(connection);
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    connection.release(isReusable(connection, failure) ? undefined : true);
  }
}

/**
 * Whether the next request may have the connection: no transaction is open, the failure was the
 * server's answer, and it does not stem from a prepared statement that a migration made invalid.
 */
function isReusable(connection: pg.PoolClient, failure: unknown): boolean {
  if (connection.getTransactionStatus() !== 'I') return false;
  if (failure === undefined) return true;
  if (!(failure instanceof pg.DatabaseError)) return false;
  return !['0A000', '26000', '42P05'].includes(failure.code ?? '');
}

async function run(
  connection: pg.PoolClient,
  settings: FlushStatement[],
  statement: FlushStatement,
): Promise<FlushResult> {
  const results = await flush(connection, [...settings, statement]);
  return results.at(-1)!;
}

/** Several statements in one transaction: begin and settings in one flush, commit at the end. */
async function transaction<T>(
  connection: pg.PoolClient,
  settings: FlushStatement[],
  role: string,
  callback: (client: PgClient) => Promise<T>,
): Promise<T> {
  await flush(connection, [control('begin'), ...settings]);
  try {
    const result = await callback({
      query: (query) => run(connection, [], queryStatement(role, query)),
      withTransaction: () => {
        throw new Error('A transaction of the API cannot be nested');
      },
    } as PgClient);
    await flush(connection, [control('commit')]);
    return result;
  } catch (error) {
    // Not awaited to succeed: a connection still inside a transaction is dropped.
    await flush(connection, [control('rollback')]).catch((cause) =>
      log.warn({ err: cause }, 'a transaction could not be rolled back'),
    );
    throw error;
  }
}

function control(text: 'begin' | 'commit' | 'rollback'): FlushStatement {
  return { name: text, text, values: [], discard: true };
}

function settingsStatement(settings: Record<string, string | undefined>): FlushStatement {
  const entries = Object.entries(settings).filter(([, value]) => value !== undefined);
  const calls = entries.map((_, index) => `set_config($${2 * index + 1}, $${2 * index + 2}, true)`);
  return {
    name: `settings:${entries.length}`,
    text: `select ${calls.join(', ')}`,
    values: entries.flat(),
    discard: true,
  };
}

/**
 * A statement under a name of its own for each role: where a row is visible or a function inlined
 * depends on the role, so a plan never passes from one role to another.
 */
function queryStatement(role: string, query: PgClientQuery): FlushStatement {
  return {
    name: createHash('sha1')
      .update(`${role}:${query.name ?? query.text}`)
      .digest('base64url'),
    text: query.text,
    values: query.values ?? [],
    arrayMode: query.arrayMode,
  };
}
