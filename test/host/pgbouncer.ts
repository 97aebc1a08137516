import { type ChildProcess, spawn } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import getPort from 'get-port';
import { until } from './until.ts';

export interface PgBouncer {
  /** The connection string with PgBouncer in place of the server. */
  connectionString: string;
  stop(): Promise<void>;
}

/**
 * Debian's PgBouncer in transaction mode, in a process and a folder of the test's own, before the
 * server of a connection string.
 *
 * @param connections to the server; fewer than those who ask, so that they take turns.
 */
export async function startPgBouncer(
  target: string,
  { connections = 2, settings = '' }: { connections?: number; settings?: string } = {},
): Promise<PgBouncer> {
  const url = new URL(target);
  const folder = await mkdtemp(join(tmpdir(), 'millrace-pgbouncer-'));
  const port = await getPort({ host: '127.0.0.1' });
  const user = decodeURIComponent(url.username);
  await writeFile(
    join(folder, 'users.txt'),
    `"${user}" "${decodeURIComponent(url.password).replaceAll('"', '""')}"\n`,
  );
  await writeFile(
    join(folder, 'pgbouncer.ini'),
    `[databases]
* = host=${url.hostname} port=${url.port || 5432}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = trust
auth_file = ${join(folder, 'users.txt')}
pool_mode = transaction
default_pool_size = ${connections}
max_client_conn = 200
server_reset_query_always = 0
${settings}
`,
  );
  // It does not run as root.
  const isRoot = userInfo().uid === 0;
  await chmod(folder, 0o755);
  let output = '';
  let failure: Error | null = null;
  const child: ChildProcess = spawn(
    'pgbouncer',
    [...(isRoot ? ['-u', 'nobody'] : []), join(folder, 'pgbouncer.ini')],
    { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: `${process.env.PATH}:/usr/sbin` } },
  );
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  const ended = new Promise<void>((resolve) => {
    child.on('error', (error) => {
      failure = error;
      resolve();
    });
    child.on('close', () => resolve());
  });
  await until(
    () => {
      if (failure !== null || child.exitCode !== null) {
        throw new Error(`no PgBouncer (Debian: apt-get install pgbouncer): ${failure} ${output}`);
      }
      return answers(port);
    },
    (isUp) => isUp,
  );
  url.hostname = '127.0.0.1';
  url.port = String(port);
  return {
    connectionString: url.href,
    async stop() {
      child.kill('SIGTERM');
      // The second of the same asks it not to wait for its clients.
      child.kill('SIGTERM');
      await ended;
      await rm(folder, { recursive: true });
    },
  };
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
