import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runMigrations as installGraphileWorker, Logger } from 'graphile-worker';
import { runner } from 'node-pg-migrate';
import pg from 'pg';
import { type LoginRole, loginPassword, ROOT } from './config.ts';
import { InstallError } from './install-error.ts';
import { log } from './log.ts';
import { ownerConfig } from './pg-owner.ts';
import {
  type ApplyResult,
  applyReplaceables,
  dropReplaceables,
  planReplaceables,
  type ReplaceablePlan,
} from './replaceables.ts';
import { ENGINE, PROJECT, type Scope } from './scope.ts';
import { displayPath, isDatabaseError, SqlFileError } from './sql-error.ts';
import { endsTransaction, type SqlStatement, splitStatements } from './sql-statements.ts';

/*
 * Migrations: the versioned half (db/migrations, run by node-pg-migrate) and, after it, the
 * replaceable half (functions and db/derived, see replaceables.ts).
 *
 * Everything happens under one session-level advisory lock, taken before anything is read: of ten
 * runners at once one works and nine find nothing to do. What was applied is checked against the
 * files before the first statement of a migration runs. Each file is one transaction, which also
 * records it.
 */

/** The advisory lock of everybody who changes the schema: migrate, dev, start. */
export const MIGRATION_LOCK = 8_246_174_092_715_002n;

export interface MigrationDirectories {
  migrations: string;
  functions: string;
  derived: string;
  roles: string;
}

export interface MigrationOptions {
  /** Directories other than the checkout's: for tests. */
  directories?: Partial<MigrationDirectories>;
  /** Stop after this many pending migrations; default: all. */
  count?: number;
  /** Apply functions and derived files after the migrations. Default true. */
  replaceables?: boolean;
  /** Install graphile-worker's schema, which the engine schedules its jobs in. Default true. */
  queue?: boolean;
}

export interface MigrationResult {
  /** Names of the migrations that this call ran, in the order of running. */
  migrations: string[];
  /** What was applied and dropped of the replaceable half; null when that was not asked for. */
  replaceables: ApplyResult | null;
}

export interface MigrationStatus {
  applied: { name: string; appliedAt: Date }[];
  pending: string[];
  /** What stands against going on: edited, missing, out of order; empty when all is well. */
  problems: MigrationProblem[];
  replaceables: ReplaceablePlan;
}

export interface MigrationProblem {
  file: string;
  problem: 'edited' | 'missing' | 'out of order' | 'no down file' | 'bad name';
  message: string;
}

/** The files and the database disagree, so nothing was run. */
export class MigrationError extends Error {
  override name = 'MigrationError';
  readonly problems: MigrationProblem[];

  constructor(problems: MigrationProblem[]) {
    super(problems.map(({ message }) => message).join('\n'));
    this.problems = problems;
  }
}

interface MigrationFile {
  name: string;
  up: string;
  down: string;
  checksum: string;
}

interface AppliedMigration {
  name: string;
  checksum: string;
  run_on: Date;
}

/** The checkout's own. */
export const DIRECTORIES: MigrationDirectories = {
  migrations: join(ROOT, 'db/migrations'),
  functions: join(ROOT, 'functions'),
  derived: join(ROOT, 'db/derived'),
  roles: join(ROOT, 'db/roles.sql'),
};

/** A lock that is not to be had is asked for again this often: 20 × 2 s in all. */
const LOCK_ATTEMPTS = 20;

/**
 * Brings a database up to date: roles, pending migrations, graphile-worker's schema, changed
 * functions and derived files. Does nothing when there is nothing to do.
 *
 * @throws MigrationError when the applied files were edited, are missing or out of order;
 * SqlFileError or SqlFilesError for a fault in a file. The files before the faulty one stay applied.
 */
export async function migrateUp(
  connectionString: string,
  options: MigrationOptions = {},
): Promise<MigrationResult> {
  const directories = { ...DIRECTORIES, ...options.directories };
  return await withMigrationLock(connectionString, async (client) => {
    const files = await readMigrations(directories.migrations);
    await refuseEngineAlone(client);
    refuse(check(files, await readApplied(client, PROJECT)));
    await ensureRoles(client, connectionString, directories.roles);
    await client.query('set role app_owner');
    const migrations = await applyMigrations(client, directories, PROJECT, options.count);
    if (options.queue !== false) await installQueue(connectionString, 'app_owner');
    let replaceables: ApplyResult | null = null;
    if (options.replaceables !== false) {
      replaceables = await retryLocked(() => applyReplaceables(client, directories));
    }
    return { migrations, replaceables };
  });
}

/**
 * Runs the pending migrations of a scope, or the first `count` of them, on a connection that has the
 * role of the scope's owner and holds the migration lock.
 *
 * @returns their names, in the order of running.
 * @throws as migrateUp.
 */
export async function applyMigrations(
  client: pg.Client,
  directories: Pick<MigrationDirectories, 'migrations'>,
  scope: Scope,
  count?: number,
): Promise<string[]> {
  const files = await readMigrations(directories.migrations, scope);
  const applied = await readApplied(client, scope);
  refuse(check(files, applied));
  await ensureBookkeeping(client, scope);
  const names = new Set(applied.map(({ name }) => name));
  const migrations: string[] = [];
  for (const file of files.filter(({ name }) => !names.has(name)).slice(0, count)) {
    await runFile(client, directories.migrations, scope, file, 'up');
    migrations.push(file.name);
  }
  return migrations;
}

/**
 * Undoes the last `count` migrations. Functions and derived files may depend on what goes, so all of
 * them are dropped first, in the transaction of the first file; `migrateUp` makes them again.
 *
 * @throws as migrateUp; MigrationError also when fewer than `count` migrations are applied.
 */
export async function migrateDown(
  connectionString: string,
  count: number,
  options: MigrationOptions = {},
): Promise<MigrationResult> {
  const directories = { ...DIRECTORIES, ...options.directories };
  return await withMigrationLock(connectionString, async (client) => {
    const applied = await readApplied(client, PROJECT);
    if (!Number.isInteger(count) || count < 1 || count > applied.length) {
      throw new RangeError(
        `cannot undo ${count} migrations: ${applied.length} are applied, and at least 1 is needed`,
      );
    }
    await client.query('set role app_owner');
    const migrations = await undoMigrations(client, directories, PROJECT, count);
    return { migrations, replaceables: null };
  });
}

/**
 * Undoes the last `count` migrations of a scope, all of them by default, on a connection that has
 * the role of the scope's owner and holds the migration lock.
 *
 * @returns their names, in the order of undoing.
 * @throws as migrateUp.
 */
export async function undoMigrations(
  client: pg.Client,
  directories: Pick<MigrationDirectories, 'migrations'>,
  scope: Scope,
  count?: number,
): Promise<string[]> {
  const files = await readMigrations(directories.migrations, scope);
  const applied = await readApplied(client, scope);
  refuse(check(files, applied));
  const undone: string[] = [];
  const byName = new Map(files.map((file) => [file.name, file]));
  for (const { name } of applied.toReversed().slice(0, count)) {
    await runFile(
      client,
      directories.migrations,
      scope,
      byName.get(name) as MigrationFile,
      'down',
      () => (undone.length === 0 ? dropReplaceables(client, scope) : Promise.resolve()),
    );
    undone.push(name);
  }
  return undone;
}

/** What is applied, what is pending and what stands against going on. Changes nothing. */
export async function migrationStatus(
  connectionString: string,
  options: Pick<MigrationOptions, 'directories'> = {},
): Promise<MigrationStatus> {
  const directories = { ...DIRECTORIES, ...options.directories };
  const client = new pg.Client({ connectionString, application_name: 'millrace status' });
  await client.connect();
  try {
    return await scopeStatus(client, directories, PROJECT);
  } finally {
    await client.end();
  }
}

/** `migrationStatus` of a scope, on a connection that may read its records. */
export async function scopeStatus(
  client: pg.Client,
  directories: MigrationDirectories,
  scope: Scope,
): Promise<MigrationStatus> {
  const files = await readMigrations(directories.migrations, scope);
  const applied = await readApplied(client, scope);
  const names = new Set(applied.map(({ name }) => name));
  return {
    applied: applied.map(({ name, run_on }) => ({ name, appliedAt: run_on })),
    pending: files.map(({ name }) => name).filter((name) => !names.has(name)),
    problems: check(files, applied),
    replaceables: await planReplaceables(client, directories, scope),
  };
}

/** The problems of `migrationStatus`: empty when every applied file is what was applied. */
export async function verifyMigrations(
  connectionString: string,
  options: Pick<MigrationOptions, 'directories'> = {},
): Promise<MigrationProblem[]> {
  return (await migrationStatus(connectionString, options)).problems;
}

/**
 * Runs `work` on a connection of its own that holds the migration lock, waiting for it as long as
 * another session has it.
 */
export async function withMigrationLock<T>(
  connectionString: string,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({ connectionString, application_name: 'millrace migrate' });
  client.on('notice', (notice) => log.debug({ notice: notice.message }, 'notice'));
  await client.connect();
  try {
    await client.query(SESSION);
    await client.query('select pg_catalog.pg_advisory_lock($1)', [MIGRATION_LOCK.toString()]);
    // Waiting longer for a lock would hold up everybody who queues behind it.
    await client.query("set lock_timeout = '2s'");
    return await work(client);
  } finally {
    await client.end();
  }
}

/**
 * What a database or a role may have set otherwise for its sessions, and what a migration takes for
 * granted.
 */
const SESSION = `
  set search_path = '';
  set lock_timeout = 0;
  set default_transaction_isolation = 'read committed';
  set default_transaction_read_only = off;
  select pg_catalog.set_config(name, '0', false)
  from pg_catalog.pg_settings
  where name in (
    'statement_timeout', 'transaction_timeout', 'idle_in_transaction_session_timeout',
    'idle_session_timeout'
  )`;

/** Runs `work` again, up to 40 s, while it fails for want of a lock or by a deadlock. */
export async function retryLocked<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      const code = error instanceof SqlFileError ? error.sqlState : errorCode(error);
      if ((code !== '55P03' && code !== '40P01') || attempt >= LOCK_ATTEMPTS) throw error;
      log.warn({ attempt, error: (error as Error).message }, 'a lock is taken: trying again');
      await sleep(100 * attempt);
    }
  }
}

function errorCode(error: unknown): string | undefined {
  return isDatabaseError(error) ? error.code : undefined;
}

async function readMigrations(directory: string, scope: Scope = PROJECT): Promise<MigrationFile[]> {
  const names = await readdir(directory);
  const problems: MigrationProblem[] = [];
  const files: MigrationFile[] = [];
  for (const entry of names.filter((name) => name.endsWith('.sql')).sort()) {
    const name = /^(\d{4}_[a-z0-9_]+)\.(up|down)\.sql$/.exec(entry)?.[1];
    if (!name) {
      problems.push({
        file: entry,
        problem: 'bad name',
        message: `${entry}: a migration is named NNNN_name.up.sql and NNNN_name.down.sql`,
      });
    } else if (entry.endsWith('.up.sql') && scope.includes(name)) {
      if (!names.includes(`${name}.down.sql`)) {
        problems.push({
          file: entry,
          problem: 'no down file',
          message: `${entry}: ${name}.down.sql is missing`,
        });
        continue;
      }
      const up = await readFile(join(directory, entry), 'utf8');
      const down = await readFile(join(directory, `${name}.down.sql`), 'utf8');
      files.push({ name, up, down, checksum: checksum(up) });
    }
  }
  refuse(problems);
  return files;
}

/** SHA-256 of the text with Unix line ends: a checkout on Windows has the same. */
export function checksum(text: string): string {
  return createHash('sha256').update(text.replaceAll('\r\n', '\n')).digest('hex');
}

async function readApplied(client: pg.Client, { bookkeeping }: Scope): Promise<AppliedMigration[]> {
  const { rows } = await client.query<{ present: boolean }>(
    `select to_regclass($1) is not null as present`,
    [`${bookkeeping}.migration`],
  );
  if (!rows[0]?.present) return [];
  const applied = await client.query<AppliedMigration>(
    `select name, checksum, run_on from ${bookkeeping}.migration order by name`,
  );
  return applied.rows;
}

function check(files: MigrationFile[], applied: AppliedMigration[]): MigrationProblem[] {
  const problems: MigrationProblem[] = [];
  const byName = new Map(files.map((file) => [file.name, file]));
  for (const { name, checksum } of applied) {
    const file = byName.get(name);
    if (!file) {
      problems.push({
        file: `${name}.up.sql`,
        problem: 'missing',
        message: `${name} is applied in the database but its file is missing`,
      });
    } else if (file.checksum !== checksum) {
      problems.push({
        file: `${name}.up.sql`,
        problem: 'edited',
        message: `${name}.up.sql was edited after it was applied: put the change in a new migration`,
      });
    }
  }
  const last = applied.at(-1)?.name ?? '';
  const names = new Set(applied.map(({ name }) => name));
  for (const { name } of files) {
    if (!names.has(name) && name < last) {
      problems.push({
        file: `${name}.up.sql`,
        problem: 'out of order',
        message: `${name} is not applied but comes before ${last}, which is: give it a later number`,
      });
    }
  }
  return problems;
}

function refuse(problems: MigrationProblem[]): void {
  if (problems.length > 0) throw new MigrationError(problems);
}

/** The engine alone, in somebody else's database, is not the beginning of all the rest. */
async function refuseEngineAlone(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ present: boolean }>(
    'select to_regnamespace($1) is not null as present',
    [ENGINE.bookkeeping],
  );
  if (!rows[0]?.present) return;
  throw new InstallError('MR054', 'The engine alone is installed in this database', {
    detail: `Schema ${ENGINE.bookkeeping} records what npm run install-engine did.`,
    hint: 'Use another database, or remove the engine first: npm run uninstall-engine.',
  });
}

/**
 * One migration in one transaction, by node-pg-migrate: it begins, runs the statements, records the
 * name and commits. The checksum comes along as the default of its column, read from a setting that
 * the transaction makes.
 *
 * `first` runs at the start of that transaction.
 */
async function runFile(
  client: pg.Client,
  directory: string,
  scope: Scope,
  file: MigrationFile,
  direction: 'up' | 'down',
  first: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const path = join(directory, `${file.name}.${direction}.sql`);
  const text = direction === 'up' ? file.up : file.down;
  const statements = splitStatements(text);
  for (const statement of statements) {
    if (endsTransaction(statement)) {
      const word = statement.text.split(/[\s;]/)[0];
      throw new MigrationError([
        {
          file: displayPath(path),
          problem: 'bad name',
          message: `${displayPath(path)}: a migration is one transaction and cannot say ${word}`,
        },
      ]);
    }
  }
  let running: SqlStatement | undefined;
  const queue = [...statements];
  // node-pg-migrate asks for a client only to query it: this one also remembers the statement.
  const observed = {
    query(text: string, values?: unknown[]) {
      if (queue[0]?.text === text) running = queue.shift();
      return client.query(text, values);
    },
  };
  await retryLocked(async () => {
    queue.splice(0, queue.length, ...statements);
    running = undefined;
    await client.query('begin');
    try {
      await first();
      await client.query("select pg_catalog.set_config('millrace.checksum', $1, true)", [
        file.checksum,
      ]);
      await runner({
        dbClient: observed as unknown as pg.ClientBase,
        dir: directory,
        migrationsTable: 'migration',
        migrationsSchema: scope.bookkeeping,
        direction,
        file: file.name,
        count: 1,
        noLock: true,
        checkOrder: false,
        // The transaction is open already; with the file's own begin it would only warn about it.
        singleTransaction: false,
        logger: QUIET,
        migrationLoaderStrategies: [
          {
            extensions: ['.sql'],
            loader: async () => [
              {
                id: join(directory, `${file.name}.sql`),
                filePaths: [path],
                // Two functions: one for both directions would ask node-pg-migrate to infer the reverse.
                actions: {
                  up: (builder) => queueAll(builder),
                  down: (builder) => queueAll(builder),
                  shorthands: {},
                },
              },
            ],
          },
        ],
      });
    } catch (error) {
      await client.query('rollback');
      if (!isDatabaseError(error) || !running) throw error;
      throw new SqlFileError(path, text, running, error);
    }
  });

  function queueAll(builder: { sql(text: string): void }): void {
    for (const statement of statements) builder.sql(statement.text);
  }
}

const QUIET = {
  debug: () => undefined,
  info: () => undefined,
  warn: (message: string) => log.debug(message),
  error: (message: string) => log.debug(message),
};

async function ensureRoles(
  client: pg.Client,
  connectionString: string,
  file: string,
): Promise<void> {
  const text = await readFile(file, 'utf8');
  const logins: LoginRole[] = ['app_authenticator', 'app_operator_login'];
  for (let attempt = 1; ; attempt += 1) {
    await client.query('reset role');
    await client.query('begin');
    try {
      for (const role of logins) {
        const password = loginPassword(connectionString, role);
        await client.query('select pg_catalog.set_config($1, $2, true)', [
          `millrace.password_${role}`,
          password ? scramVerifier(password) : '',
        ]);
      }
      for (const statement of splitStatements(text)) {
        await client.query(statement.text).catch((error: unknown) => {
          throw isDatabaseError(error) ? new SqlFileError(file, text, statement, error) : error;
        });
      }
      await client.query('commit');
      return;
    } catch (error) {
      await client.query('rollback');
      // Another database's migration made the same role, grant or setting at the same moment:
      // duplicate_object, unique_violation, or "tuple concurrently updated".
      const lostRace =
        error instanceof SqlFileError && ['42710', '23505', 'XX000'].includes(error.sqlState);
      if (!lostRace || attempt >= LOCK_ATTEMPTS) throw error;
      await sleep(20 * attempt);
    }
  }
}

/**
 * A password as Postgres stores it (RFC 5802, RFC 7677), so that the password itself never reaches
 * the server's log.
 */
function scramVerifier(password: string): string {
  const iterations = 4096;
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256');
  const clientKey = createHmac('sha256', salted).update('Client Key').digest();
  const storedKey = createHash('sha256').update(clientKey).digest('base64');
  const serverKey = createHmac('sha256', salted).update('Server Key').digest('base64');
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${storedKey}:${serverKey}`;
}

async function ensureBookkeeping(client: pg.Client, { bookkeeping }: Scope): Promise<void> {
  // Asked first: `create schema if not exists` wants the right to create even when it exists.
  const { rows } = await client.query(`select to_regclass($1) is not null as present`, [
    `${bookkeeping}.replaceable`,
  ]);
  if (rows[0].present) return;
  await client.query('begin');
  await client.query(`create schema ${bookkeeping}`);
  await client.query(`comment on schema ${bookkeeping} is
    'What was applied of the checkout, with checksums. Written by its commands alone.'`);
  await client.query(`create table ${bookkeeping}.migration (
    id integer generated always as identity primary key,
    name varchar(255) not null unique,
    run_on timestamptz not null,
    checksum text not null default pg_catalog.current_setting('millrace.checksum')
  )`);
  await client.query(`comment on table ${bookkeeping}.migration is
    'The applied migrations, with the SHA-256 of each as it was applied.'`);
  await client.query(`create table ${bookkeeping}.replaceable (
    path text primary key,
    checksum text not null,
    objects text[] not null,
    applied_at timestamptz not null default pg_catalog.now()
  )`);
  await client.query(`comment on table ${bookkeeping}.replaceable is
    'The applied files of functions/ and db/derived/, with the objects that each made.'`);
  await client.query('commit');
}

/** graphile-worker's own migrations, as the given role; a no-op when its schema is current. */
export async function installQueue(connectionString: string, role: string): Promise<void> {
  const pool = new pg.Pool({ ...ownerConfig(connectionString, 'migrate', role), max: 1 });
  const lost = (error: Error) => log.error({ error: error.message }, 'connection lost');
  pool.on('error', lost);
  pool.on('connect', (client) => client.on('error', lost));
  try {
    await installGraphileWorker({
      pgPool: pool,
      logger: new Logger(() => (level, message) => {
        if (level === 'error') log.error(message);
      }),
    });
  } finally {
    await pool.end();
  }
}
