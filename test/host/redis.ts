import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import getPort from 'get-port';
import { until } from './until.ts';

export interface RedisServer {
  url: string;
  /** Ends the process at once; nothing of it is left. */
  kill(): Promise<void>;
  /** Starts it again, empty, at the same address. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** Debian's redis-server in a process and a folder of the test's own, in memory only. */
export async function startRedis(): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-redis-'));
  const port = await getPort({ host: '127.0.0.1' });
  let child: ChildProcess | null = null;
  let ended: Promise<void> = Promise.resolve();

  async function start(): Promise<void> {
    let failure: Error | null = null;
    const started = spawn(
      'redis-server',
      ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'],
      { cwd: folder, stdio: 'ignore' },
    );
    child = started;
    ended = new Promise((resolve) => {
      started.on('error', (error) => {
        failure = error;
        resolve();
      });
      started.on('close', () => resolve());
    });
    await until(
      () => {
        if (failure !== null) {
          throw new Error(`no Redis (Debian: apt-get install redis-server): ${failure}`);
        }
        return answers(port);
      },
      (isUp) => isUp,
    );
  }

  async function kill(): Promise<void> {
    child?.kill('SIGKILL');
    await ended;
  }

  await start();
  return {
    url: `redis://127.0.0.1:${port}/0`,
    kill,
    restart: start,
    async stop() {
      await kill();
      await rm(folder, { recursive: true });
    },
  };
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => socket.write('PING\r\n'));
    socket.on('data', (data) => {
      socket.destroy();
      resolve(data.toString().startsWith('+PONG'));
    });
    socket.on('error', () => resolve(false));
  });
}
