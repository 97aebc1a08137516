import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ROOT } from '../../scripts/lib/config.ts';
import {
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
  PostgresStartError,
  startEmbeddedPostgres,
} from '../../scripts/lib/postgres.ts';

let folder: string;
let dataDir: string;
let started: EmbeddedPostgres[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-embedded-'));
  await chmod(folder, 0o755);
  dataDir = join(folder, 'data', 'postgres');
  started = [];
});

afterEach(async () => {
  for (const server of started) await server.stop();
  await rm(folder, { recursive: true, force: true });
});

async function start(options: Partial<EmbeddedPostgresOptions> = {}): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ dataDir, port: 0, unsafe: true, ...options });
  started.push(server);
  return server;
}

async function query(server: EmbeddedPostgres, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: server.connectionString });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

/** Whether the server takes connections. (Its process may stay a zombie where nobody reaps it.) */
async function alive(server: EmbeddedPostgres): Promise<boolean> {
  return await query(server, 'select 1').then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      expect(error.code).toBe('ECONNREFUSED');
      return false;
    },
  );
}

/** When this process started, as the kernel counts it: field 22 of its status. */
async function startTime(): Promise<string> {
  const status = await readFile('/proc/self/stat', 'utf8').catch(() => '');
  return status.slice(status.lastIndexOf(')') + 2).split(' ')[19] ?? 'unknown';
}

/** Starts the server in a process of its own, which then waits to be killed. */
async function startElsewhere(): Promise<{ owner: ChildProcess; pid: number }> {
  const script = `
    import { startEmbeddedPostgres } from ${JSON.stringify(join(ROOT, 'scripts/lib/postgres.ts'))};
    const server = await startEmbeddedPostgres(
      { dataDir: ${JSON.stringify(dataDir)}, port: 0, unsafe: true });
    console.log(server.pid);
    setInterval(() => undefined, 1000);`;
  const owner = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(owner, 'exit').then(([code]) => expect.fail(`it ended with ${code}`));
  const [line] = (await Promise.race([once(owner.stdout, 'data'), exited])) as [Buffer];
  exited.catch(() => undefined);
  return { owner, pid: Number(line.toString()) };
}

test('keeps its data over a clean stop, and is durable unless told otherwise', async () => {
  const first = await start({ unsafe: false });
  expect(first.created).toBe(true);
  expect(await query(first, 'show fsync')).toEqual([{ fsync: 'on' }]);
  expect(await query(first, 'show synchronous_commit')).toEqual([{ synchronous_commit: 'on' }]);
  await query(first, 'create table t as select 1 as n');
  await first.stop();
  expect(await alive(first)).toBe(false);
  await expect(stat(join(dataDir, 'postmaster.pid'))).rejects.toMatchObject({ code: 'ENOENT' });
  const second = await start();
  expect(second.created).toBe(false);
  expect(await query(second, 'show fsync')).toEqual([{ fsync: 'off' }]);
  expect(await query(second, 'select n from t')).toEqual([{ n: 1 }]);
});

test('recovers what was committed when the server is killed', async () => {
  const first = await start({ unsafe: false });
  await query(first, 'create table t (n int)');
  const open = new pg.Client({ connectionString: first.connectionString });
  open.on('error', () => undefined);
  await open.connect();
  await open.query('begin; insert into t values (-1)');
  await query(first, 'insert into t select generate_series(1, 1000)');
  process.kill(first.pid, 'SIGKILL');
  const second = await start({ unsafe: false });
  expect(second.pid).not.toBe(first.pid);
  expect(await query(second, 'select count(*)::int, min(n) from t')).toEqual([
    { count: 1000, min: 1 },
  ]);
  await open.end().catch(() => undefined);
});

test('a postmaster.pid whose number another program has by now is stale', async () => {
  const first = await start();
  await first.stop();
  const content = [process.pid, dataDir, 1, first.port, '', '127.0.0.1', '', 'ready'].join('\n');
  await writeFile(join(dataDir, 'postmaster.pid'), content, { mode: 0o600 });
  const { uid, gid } = await stat(dataDir);
  await chown(join(dataDir, 'postmaster.pid'), uid, gid);
  const second = await start();
  expect(await query(second, 'select 1 as n')).toEqual([{ n: 1 }]);
});

test('a postmaster.pid whose number the server of another directory has is stale', async () => {
  const other = await start({ dataDir: join(folder, 'data', 'other') });
  const first = await start();
  await first.stop();
  const content = await readFile(join(other.dataDir, 'postmaster.pid'), 'utf8');
  await writeFile(join(dataDir, 'postmaster.pid'), content, { mode: 0o600 });
  const second = await start();
  expect(second.pid).not.toBe(other.pid);
  expect(await alive(other)).toBe(true);
  expect(await query(second, 'show data_directory')).toEqual([{ data_directory: dataDir }]);
});

test('takes the next free port', async () => {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as { port: number };
  try {
    const server = await start({ port });
    expect(server.port).toBeGreaterThan(port);
    expect(server.port).toBeLessThanOrEqual(port + 200);
    expect(await query(server, 'select 1 as n')).toEqual([{ n: 1 }]);
  } finally {
    listener.close();
  }
});

test('is shared while its owner lives and inherited when the owner was killed', async () => {
  const { owner, pid } = await startElsewhere();

  const guest = await start();
  expect(guest).toMatchObject({ pid, shared: true });
  await guest.stop();
  expect(await alive(guest)).toBe(true);

  owner.kill('SIGKILL');
  await once(owner, 'exit');
  expect(await alive(guest)).toBe(true);
  const heir = await start();
  expect(heir).toMatchObject({ pid, shared: false });
  await heir.stop();
  expect(await alive(heir)).toBe(false);
});

test('a cluster that a killed process was making is removed and made again', async () => {
  const unfinished = `${dataDir}.initdb.999999999.1.abc`;
  const alive = `${dataDir}.initdb.${process.pid}.${await startTime()}.abc`;
  await mkdir(join(unfinished, 'global'), { recursive: true });
  await mkdir(alive);
  const server = await start();
  expect(server.created).toBe(true);
  await expect(stat(unfinished)).rejects.toMatchObject({ code: 'ENOENT' });
  expect((await stat(alive)).isDirectory()).toBe(true);
  expect(await query(server, 'select 1 as n')).toEqual([{ n: 1 }]);
});

test("a data directory with somebody else's files is refused and left alone", async () => {
  await mkdir(dataDir, { recursive: true });
  await writeFile(join(dataDir, 'letter.txt'), 'kept');
  await expect(start()).rejects.toThrow(/no cluster in .*not empty/i);
  expect(await readFile(join(dataDir, 'letter.txt'), 'utf8')).toBe('kept');
});

test('two first starts at once make one cluster and share one server', async () => {
  const [one, two] = await Promise.all([startElsewhere(), startElsewhere()]);
  try {
    expect(one.pid).toBe(two.pid);
    const server = await start();
    expect(server).toMatchObject({ pid: one.pid, created: false, shared: true });
  } finally {
    for (const { owner } of [one, two]) {
      owner.kill('SIGKILL');
      await once(owner, 'exit');
    }
    await start();
  }
});

test.runIf(process.getuid?.() === 0)('as root, below a folder closed to others', async () => {
  const closed = join(folder, 'closed');
  await mkdir(closed, { mode: 0o700 });
  const server = await start({ dataDir: join(closed, 'postgres') });
  try {
    expect(server.dataDir).toMatch(/^\/var\/lib\/millrace\//);
    expect((await stat(server.dataDir)).mode & 0o077).toBe(0);
    expect(await query(server, 'create table t as select 1 as n')).toEqual([]);
    await server.stop();
    const again = await start({ dataDir: join(closed, 'postgres') });
    expect(await query(again, 'select n from t')).toEqual([{ n: 1 }]);
    await again.stop();
  } finally {
    for (const suffix of ['', '.password', '.log']) {
      await rm(`${server.dataDir}${suffix}`, { recursive: true, force: true });
    }
  }
});

test('a server that cannot start says why', async () => {
  await expect(start({ settings: { shared_buffers: 'nonsense' } })).rejects.toThrow(
    /invalid value for parameter "shared_buffers"/,
  );
  await expect(start({ settings: { nonsense: '1' } })).rejects.toBeInstanceOf(PostgresStartError);
});

test('its password is readable by its owner only and asked for', async () => {
  const server = await start();
  expect((await stat(`${dataDir}.password`)).mode & 0o077).toBe(0);
  const password = (await readFile(`${dataDir}.password`, 'utf8')).trim();
  expect(server.connectionString).toContain(password);
  const stranger = new pg.Client({
    connectionString: server.connectionString.replace(password, 'wrong'),
  });
  await expect(stranger.connect()).rejects.toMatchObject({ code: '28P01' });
});
