import { randomBytes, randomInt } from 'node:crypto';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { startEmbeddedPostgres, stopAbandoned } from './postgres.ts';

/*
 * Servers and databases to throw away: for tests, lints and snapshots.
 */

/** A server to work on, and how to get rid of it. */
export interface TestServer {
  /** A login that may create databases and roles; the database is any that exists. */
  connectionString: string;
  stop(): Promise<void>;
}

/** Where the clusters of test runs lie: one folder for each run. */
const TEST_CLUSTERS = join(tmpdir(), 'millrace-test');

/**
 * The server asked for: `TEST_DATABASE_URL` is one that runs already, `TEST_POSTGRES=container` one
 * in a Docker container (`TEST_POSTGRES_IMAGE`, default `postgres:18`), otherwise an embedded
 * Postgres 18 of this run's own.
 */
export async function startTestServer(env: NodeJS.ProcessEnv = process.env): Promise<TestServer> {
  if (env.TEST_DATABASE_URL) {
    return { connectionString: env.TEST_DATABASE_URL, stop: () => Promise.resolve() };
  }
  if (env.TEST_POSTGRES === 'container') return await startContainer(env.TEST_POSTGRES_IMAGE);
  if (env.TEST_POSTGRES && env.TEST_POSTGRES !== 'embedded') {
    throw new Error(`TEST_POSTGRES must be "embedded" or "container", not "${env.TEST_POSTGRES}"`);
  }
  await removeAbandoned();
  return await startTestCluster();
}

/** Runs `work` with a new, empty database on the server of `startTestServer`, dropped afterwards. */
export async function withScratchDatabase<T>(
  work: (connectionString: string) => Promise<T>,
): Promise<T> {
  const server = await startTestServer();
  try {
    const name = `millrace_scratch_${randomBytes(6).toString('hex')}`;
    const url = new URL(server.connectionString);
    await run(server.connectionString, `create database ${name} template template0`);
    try {
      url.pathname = `/${name}`;
      return await work(url.href);
    } finally {
      await run(server.connectionString, `drop database ${name} with (force)`);
    }
  } finally {
    await server.stop();
  }
}

async function run(connectionString: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/**
 * An embedded Postgres in a temporary directory, without fsync unless `durable` is asked for (tests
 * that kill it need nothing durable either: what a process wrote survives its end).
 */
export async function startTestCluster(
  options: { durable?: boolean; settings?: Record<string, string> } = {},
): Promise<TestServer & { dataDir: string; pid: number; port: number }> {
  const folder = join(TEST_CLUSTERS, `${process.pid}-${Date.now().toString(36)}`);
  await mkdir(folder, { recursive: true });
  const server = await startEmbeddedPostgres({
    dataDir: join(folder, 'postgres'),
    // Below the ports that systems give to connections: one that is started again gets its own back.
    port: randomInt(20_000, 32_000),
    unsafe: !options.durable,
    settings: { shared_buffers: '128MB', max_connections: '300', ...options.settings },
  });
  return {
    connectionString: server.connectionString,
    dataDir: server.dataDir,
    pid: server.pid,
    port: server.port,
    async stop() {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Stops and removes the clusters of runs that were killed. */
async function removeAbandoned(): Promise<void> {
  await mkdir(TEST_CLUSTERS, { recursive: true });
  for (const name of await readdir(TEST_CLUSTERS)) {
    const folder = join(TEST_CLUSTERS, name);
    const owner = Number(name.split('-')[0]);
    if (isRunning(owner)) continue;
    if (await stopAbandoned(join(folder, 'postgres'))) {
      await rm(folder, { recursive: true, force: true });
    }
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function startContainer(image = 'postgres:18'): Promise<TestServer> {
  const { PostgreSqlContainer } = await import('@testcontainers/postgresql');
  try {
    const container = await new PostgreSqlContainer(image)
      .withCommand(['postgres', '-c', 'fsync=off', '-c', 'max_connections=300'])
      .start();
    return {
      connectionString: container.getConnectionUri(),
      stop: async () => {
        await container.stop();
      },
    };
  } catch (error) {
    throw new Error(
      `TEST_POSTGRES=container, but ${image} does not start: is a Docker engine running?`,
      { cause: error },
    );
  }
}
