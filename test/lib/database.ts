import pg from 'pg';
import { expect, inject } from 'vitest';
import { loginConnectionString } from '../../scripts/lib/config.ts';
import { databaseUrl } from './database-url.ts';

export interface ActOptions {
  /** Keep what `work` did; default: it is rolled back. */
  commit?: boolean;
}

type Work<T> = (client: pg.PoolClient) => Promise<T>;

/** A database of a test file's own: a copy of the run's migrated template, or an empty one. */
export interface TestDatabase {
  name: string;
  /** The owner's login (what DATABASE_URL is to the host): may become app_owner. */
  connectionString: string;
  /** Login app_authenticator, with the limits that the API has. */
  apiConnectionString: string;
  /** Login app_operator_login. */
  operatorConnectionString: string;
  /** Connections as app_owner. */
  pool: pg.Pool;
  /** A new connection as app_owner; closed by `drop` at the latest. */
  connect(): Promise<pg.Client>;
  /** Runs `work` in a transaction as app_owner. */
  asOwner<T>(work: Work<T>, options?: ActOptions): Promise<T>;
  /** … as app_account with this account id. */
  asAccount<T>(id: bigint | number | string, work: Work<T>, options?: ActOptions): Promise<T>;
  /** … as app_moderator with this account id. */
  asModerator<T>(id: bigint | number | string, work: Work<T>, options?: ActOptions): Promise<T>;
  /** … as app_anonymous. */
  asAnonymous<T>(work: Work<T>, options?: ActOptions): Promise<T>;
  /** … as app_operator. */
  asOperator<T>(work: Work<T>, options?: ActOptions): Promise<T>;
  /** Closes all connections and drops the database. For `afterAll`. */
  drop(): Promise<void>;
}

let counter = 0;

/** A copy of the run's template database, which has all migrations, functions and declarations. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const failure = inject('templateError');
  if (failure) throw new Error(`the template database could not be migrated: ${failure}`);
  return await create(inject('template'));
}

/** A database with nothing in it: for tests of the tools that fill one. */
export async function createEmptyDatabase(): Promise<TestDatabase> {
  return await create('template0');
}

/** Asserts that the promise fails with this SQLSTATE, and returns the error. */
export async function expectSqlState(
  promise: Promise<unknown>,
  sqlState: string,
): Promise<pg.DatabaseError> {
  const outcome = await promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if (!('error' in outcome)) {
    return expect.fail(`expected SQLSTATE ${sqlState}, but it succeeded`);
  }
  const error = outcome.error as pg.DatabaseError;
  expect(error.code ?? error.message, error.message).toBe(sqlState);
  return error;
}

/** The process id of a connection's backend, for `waitUntilBlocked`. */
export async function backendPid(client: pg.ClientBase): Promise<number> {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  return (rows[0] as { pid: number }).pid;
}

/**
 * Resolves when the backend is seen waiting for a lock: a step of a concurrency test follows what
 * happened, not a clock. Fails after `timeoutMs` (default 10,000): then it never waited.
 */
export async function waitUntilBlocked(
  observer: pg.ClientBase | pg.Pool,
  pid: number,
  timeoutMs = 10_000,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const { rows } = await observer.query<{ blocked: boolean }>(
      'select cardinality(pg_blocking_pids($1)) > 0 as blocked',
      [pid],
    );
    if (rows[0]?.blocked) return;
    if (Date.now() > deadline) throw new Error(`backend ${pid} does not wait for any lock`);
  }
}

async function create(template: string): Promise<TestDatabase> {
  const server = inject('server');
  counter += 1;
  const name = `${inject('prefix')}_${process.pid}_${counter}`;
  await administer(server, async (client) => {
    await client.query(`create database ${name} template ${template}`);
    // The rights on a database are not copied with it.
    const owner = await client.query("select from pg_roles where rolname = 'app_owner'");
    if (owner.rowCount) await client.query(`grant create on database ${name} to app_owner`);
  });
  const connectionString = databaseUrl(server, name);
  const asOwnerRole = { connectionString, options: '-c role=app_owner' };
  const pool = new pg.Pool({ ...asOwnerRole, max: 20 });
  // A connection that a test killed on purpose is replaced by the pool.
  pool.on('error', () => undefined);
  const clients: pg.Client[] = [];

  async function act<T>(
    role: string,
    accountId: string | null,
    work: Work<T>,
    options: ActOptions = {},
  ): Promise<T> {
    const client = await pool.connect();
    let broken = true;
    try {
      await client.query('begin');
      await client.query(`set local role ${role}`);
      await client.query("select set_config('app.account_id', $1, true)", [accountId ?? '']);
      const result = await work(client);
      await client.query(options.commit ? 'commit' : 'rollback');
      broken = false;
      return result;
    } catch (error) {
      broken = await client.query('rollback').then(
        () => false,
        () => true,
      );
      throw error;
    } finally {
      client.release(broken);
    }
  }

  return {
    name,
    connectionString,
    apiConnectionString: loginConnectionString(connectionString, 'app_authenticator'),
    operatorConnectionString: loginConnectionString(connectionString, 'app_operator_login'),
    pool,
    async connect() {
      const client = new pg.Client(asOwnerRole);
      client.on('error', () => undefined);
      await client.connect();
      clients.push(client);
      return client;
    },
    asOwner: (work, options) => act('app_owner', null, work, options),
    asAccount: (id, work, options) => act('app_account', String(id), work, options),
    asModerator: (id, work, options) => act('app_moderator', String(id), work, options),
    asAnonymous: (work, options) => act('app_anonymous', null, work, options),
    asOperator: (work, options) => act('app_operator', null, work, options),
    async drop() {
      await Promise.all(clients.map((client) => client.end().catch(() => undefined)));
      await pool.end();
      await administer(server, async (client) => {
        await client.query(`drop database if exists ${name} with (force)`);
      });
    },
  };
}

async function administer(
  connectionString: string,
  work: (client: pg.Client) => Promise<void>,
): Promise<void> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
