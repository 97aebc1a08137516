import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loginConnectionString, ROOT } from '../lib/config.ts';

/*
 * The processes of the endpoints benchmark, started as users start them: `npm run serve` and
 * `npm run worker`; and the server written by hand. Each is a process of its own, so that none
 * waits for another's work.
 */

export interface Host {
  /** Where it listens, without a path; empty for the worker. */
  url: string;
  pid: number;
  stop(): Promise<void>;
}

/** The secret of the hosts of this run; requests of the benchmark are signed with it. */
export const SECRET = randomBytes(48).toString('base64url');

/**
 * The API of a database; `apiConnection` is its login's, if it is not to be derived.
 *
 * @param env further settings, and others in place of those of the benchmark.
 */
export function startApi(
  connectionString: string,
  apiConnection?: string,
  env: Record<string, string> = {},
): Promise<Host> {
  return start([join(ROOT, 'scripts/serve.ts')], /"url":"(http:[^"]+)\/graphql"/, {
    API_DATABASE_URL: apiConnection ?? loginConnectionString(connectionString, 'app_authenticator'),
    JWT_SECRET: SECRET,
    PORT: '0',
    // All requests come from one address, where in life they come from many; and what is measured
    // is the way to the database and back, which answers from memory would not go.
    RATE_LIMIT_ACCOUNT: '0',
    RATE_LIMIT_ADDRESS: '0',
    CACHE_MB: '0',
    ...env,
  });
}

/** Ticker and background jobs of a database. */
export function startBackground(connectionString: string): Promise<Host> {
  return start([join(ROOT, 'scripts/worker.ts')], /"msg":"(working)"/, {
    DATABASE_URL: connectionString,
  });
}

/** The server written by hand: see hand-written.ts. */
export async function startHandWritten(connectionString: string): Promise<Host> {
  const script = fileURLToPath(new URL('./hand-written.ts', import.meta.url));
  const host = await start([script, connectionString], /^(\d+)\n/, {});
  return { ...host, url: `http://127.0.0.1:${host.url}` };
}

/** Starts a process and waits until it prints that it is ready. */
function start(args: string[], ready: RegExp, env: Record<string, string>): Promise<Host> {
  const child = spawn(process.execPath, [...profiling(), ...args], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, NODE_ENV: 'production', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return new Promise((resolve, reject) => {
    let output = '';
    let isReady = false;
    const ended = new Promise<void>((end) => child.once('close', () => end()));
    child.once('error', reject);
    child.once('close', (code) => {
      if (!isReady) reject(new Error(`${args[0]} ended (${code}) before it was ready:\n${output}`));
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        // Read to the end, so that the process never waits for its reader.
        if (isReady) return;
        output += chunk.toString();
        const found = ready.exec(output);
        if (found === null) return;
        isReady = true;
        resolve({
          url: found[1] as string,
          pid: child.pid as number,
          stop: () => stop(child, ended),
        });
      });
    }
  });
}

/** `BENCH_CPU_PROFILE=<folder>`: each process writes where its processor time went (--cpu-prof). */
function profiling(): string[] {
  const folder = process.env.BENCH_CPU_PROFILE;
  return folder ? ['--cpu-prof', `--cpu-prof-dir=${folder}`] : [];
}

async function stop(child: ChildProcess, ended: Promise<void>): Promise<void> {
  child.kill('SIGTERM');
  await ended;
}
