import { createHash } from 'node:crypto';
import pg from 'pg';
import type {
  PgClient,
  PgClientQuery,
  PgClientResult,
  WithPgClient,
} from 'postgraphile/@dataplan/pg';
import { type GrafastSubscriber, SafeError } from 'postgraphile/grafast';
import { log } from './log.ts';
import { type FlushResult, type FlushStatement, flush } from './pg-flush.ts';
import { guarded, withStartupOptions } from './pg-owner.ts';
import { acquire, type PoolName, type PoolSize } from './pools.ts';

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
 *
 * Behind a pooler in transaction mode an anonymous read is sent like the others, and no statement
 * has a name: the next one may find itself on another connection.
 */

export const ANONYMOUS_ROLE = 'app_anonymous';

/** What a request may be: settings local to its transaction. */
export interface ApiSettings extends Record<string, string | undefined> {
  role: string;
  /** Set on for queries: a read cannot write, whatever it calls. */
  transaction_read_only?: 'on';
}

/** One pool for what visitors read, one for what accounts read, one for what changes something. */
export interface ApiPools extends Record<PoolName, pg.Pool> {
  /** Whether the connections are a pooler's: nothing that belongs to a session outlives a statement. */
  pooled: boolean;
}

export interface ApiPoolOptions {
  /** Login app_authenticator. */
  connectionString: string;
  /** The same on a server to read from, a replica perhaps. Default: the same server. */
  readConnectionString?: string;
  /** Whether there is a pooler in transaction mode in between. */
  pooled?: boolean;
  /** Connections of each pool. Default 10. */
  poolSize?: number;
  /** Connections of each pool by its name; instead of poolSize. */
  sizes?: Record<PoolName, PoolSize>;
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
 * The pools. Connections are opened when first needed; a failure of an idle one is logged and the
 * connection replaced. Those of a pool do not live for ever, so that they follow when a server takes
 * over from another or the address leads elsewhere.
 *
 * Timeouts of statements, locks and idle transactions are settings of the login role (db/roles.sql):
 * there they hold behind a pooler too, and for whoever else logs in by it.
 */
export function makeApiPools({
  connectionString,
  readConnectionString = connectionString,
  pooled = false,
  poolSize = 10,
  sizes,
}: ApiPoolOptions): ApiPools {
  const make = (name: PoolName, url: string, options: string) => {
    const application_name = `millrace api (${name})`;
    const pool = new pg.Pool({
      connectionString: pooled ? url : withStartupOptions(url, options),
      application_name,
      ...(sizes?.[name] ?? { min: 0, max: poolSize }),
      connectionTimeoutMillis: 5_000,
      idleTimeoutMillis: 60_000,
      maxLifetimeSeconds: 1_800,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      // Longer than the statement_timeout of the login: only a server that no longer answers gets
      // here, and then the connection is dropped.
      query_timeout: 30_000,
    });
    return guarded(pool, application_name);
  };
  return {
    pooled,
    // Compiling costs more than it gains for short statements.
    anonymous: make(
      'anonymous',
      readConnectionString,
      `-c jit=off -c role=${ANONYMOUS_ROLE} -c default_transaction_read_only=on`,
    ),
    reads: make('reads', readConnectionString, '-c jit=off'),
    writes: make('writes', connectionString, '-c jit=off'),
  };
}

/** Closes the pools once their running statements are answered. */
export async function endApiPools(pools: ApiPools): Promise<void> {
  await Promise.all([pools.anonymous.end(), pools.reads.end(), pools.writes.end()]);
}

/** The PostGraphile service over the pools; the caller ends the pools. */
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

/**
 * The function by which PostGraphile runs its statements under the settings of a request.
 *
 * @param onPrimary reads too go where writes go: for what must not see less than was announced.
 * @param observe told how long statements took.
 */
export function makeWithPgClient(
  pools: ApiPools,
  onPrimary = false,
  observe?: ObserveStatements,
): WithPgClient {
  const readers = new WeakMap<object, Reader>();
  return async (pgSettings, callback) => {
    const poolName = onPrimary ? 'writes' : poolOf(pgSettings);
    const pool = pools[poolName];
    const settings =
      pgSettings == null || (poolName === 'anonymous' && !pools.pooled)
        ? []
        : [settingsStatement(pools.pooled ? { ...pgSettings, jit: 'off' } : pgSettings)];
    const role = pgSettings?.role ?? 'login';
    const named = (statement: FlushStatement) =>
      pools.pooled ? { ...statement, name: '' } : statement;
    const session: Session = {
      pool,
      settings: settings.map(named),
      role,
      named,
      observe: (statements, duration) => observe?.(statements, duration, pgSettings ?? {}),
    };
    return callback({
      async query<TData>(query: PgClientQuery): Promise<PgClientResult<TData>> {
        const statement = named(queryStatement(role, query));
        const result =
          pgSettings != null && query.name !== undefined
            ? await read(readers, pgSettings, session, statement)
            : await withConnection(pool, (connection) => run(connection, session, statement));
        return result as PgClientResult<TData>;
      },
      withTransaction: (inner) =>
        withConnection(pool, (connection) => transaction(connection, session, inner)),
    } as PgClient);
  };
}

/**
 * Told of statements that were sent at once, with the milliseconds until all were answered: the server
 * sends its answers together. The settings are the object that the request has.
 */
export type ObserveStatements = (
  statements: readonly FlushStatement[],
  duration: number,
  settings: Record<string, string | undefined>,
) => void;

/** How the statements of a request are sent. */
interface Session {
  observe(statements: readonly FlushStatement[], duration: number): void;
  pool: pg.Pool;
  settings: FlushStatement[];
  role: string;
  /** Takes the name of a statement away where it would be lost. */
  named(statement: FlushStatement): FlushStatement;
}

function poolOf(settings: Record<string, string | undefined> | null): PoolName {
  if (settings === null) return 'writes';
  if (isAnonymousRead(settings)) return 'anonymous';
  return settings.transaction_read_only === 'on' ? 'reads' : 'writes';
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
  session: Session,
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
      withConnection(session.pool, (connection) => sendReads(connection, session, reads)).catch(
        (error: unknown) => {
          for (const { reject } of reads) reject(error);
        },
      );
    });
  });
}

async function sendReads(
  connection: pg.PoolClient,
  session: Session,
  reads: Reader,
): Promise<void> {
  try {
    const statements = reads.map((it) => it.statement);
    const results = await send(connection, session, session.settings, statements);
    for (const [index, { resolve }] of reads.entries()) resolve(results[index]!);
  } catch (error) {
    if (reads.length === 1 || !isReusable(connection, error)) throw error;
    for (const { statement, resolve, reject } of reads) {
      await run(connection, session, statement).then(resolve, reject);
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
  const connection = await acquire(pool).catch((cause: Error) => {
    const hint = 'Nothing was done: send it again in some seconds.';
    // The only word that the pool has for it.
    if (/^timeout exceeded/.test(cause.message)) {
      throw new SafeError('The server is busy: no connection to the database is free', {
        statusCode: 503,
        code: 'OP004',
        hint,
      });
    }
    const { code } = cause as { code?: string };
    log.warn({ code, reason: cause.message }, 'the database cannot be reached');
    throw new SafeError(
      'The database cannot be reached',
      { statusCode: 503, code: 'OP016', hint },
      { cause },
    );
  });
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
  session: Session,
  statement: FlushStatement,
  settings = session.settings,
): Promise<FlushResult> {
  const [result] = await send(connection, session, settings, [statement]);
  return result!;
}

/** The results of the statements, without those of the settings before them. */
async function send(
  connection: pg.PoolClient,
  session: Session,
  settings: readonly FlushStatement[],
  statements: readonly FlushStatement[],
): Promise<FlushResult[]> {
  const start = performance.now();
  try {
    return (await flush(connection, [...settings, ...statements])).slice(settings.length);
  } finally {
    session.observe(statements, performance.now() - start);
  }
}

/** Several statements in one transaction: begin and settings in one flush, commit at the end. */
async function transaction<T>(
  connection: pg.PoolClient,
  session: Session,
  callback: (client: PgClient) => Promise<T>,
): Promise<T> {
  const { settings, role, named } = session;
  const control = (text: 'begin' | 'commit' | 'rollback') =>
    flush(connection, [
      named({ name: text, text, values: [], discard: true }),
      ...(text === 'begin' ? settings : []),
    ]);
  await control('begin');
  try {
    const result = await callback({
      query: (query) => run(connection, session, named(queryStatement(role, query)), []),
      withTransaction: () => {
        throw new Error('A transaction of the API cannot be nested');
      },
    } as PgClient);
    await control('commit');
    return result;
  } catch (error) {
    // Not awaited to succeed: a connection still inside a transaction is dropped.
    await control('rollback').catch((cause) =>
      log.warn({ err: cause }, 'a transaction could not be rolled back'),
    );
    throw error;
  }
}

function settingsStatement(settings: Record<string, string | undefined>): FlushStatement {
  const entries = Object.entries(settings).filter(([, value]) => value !== undefined);
  // A session is put like a setting, by a function that refuses one that has ended.
  const session = entries.findIndex(([name]) => name === 'app.session_id');
  const calls = entries.map((_, index) => {
    const set = index === session ? 'app_hidden.enter_session' : 'set_config';
    return `${set}($${2 * index + 1}, $${2 * index + 2}, true)`;
  });
  return {
    name: `settings:${entries.length}:${session}`,
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
