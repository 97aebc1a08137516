import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../../../scripts/lib/config.ts';
import { startTicker } from '../../../scripts/lib/ticker.ts';
import { startWorker } from '../../../scripts/lib/worker.ts';
import { taskDirectory, taskStatements } from '../../concurrency/lib/jobs.ts';
import { withOwnerClient } from './whole.ts';

/*
 * Hosts: in this process, as npm run worker starts them, or in one of their own that can be killed.
 */

export interface Host {
  stop(): Promise<void>;
}

/** A ticker and a worker in this process, with the world's tasks. */
export async function startHost(
  connectionString: string,
  options: { worker?: boolean; ticker?: boolean; concurrency?: number } = {},
): Promise<Host> {
  const tasks = await withOwnerClient(connectionString, taskDirectory);
  const worker =
    (options.worker ?? true)
      ? await startWorker({
          connectionString,
          concurrency: options.concurrency ?? 4,
          taskDirectory: tasks.path,
        })
      : null;
  const ticker = (options.ticker ?? true) ? startTicker({ connectionString }) : null;
  return {
    async stop() {
      await ticker?.stop();
      await worker?.stop();
      await tasks.remove();
    },
  };
}

/** Where a task can stop, for its worker to be killed there. */
export const STEPS = [
  'claimed',
  'before work',
  'after work before commit',
  'after commit before ack',
] as const;

export type Step = (typeof STEPS)[number];

/**
 * Tasks that run a transaction of their own and stop for ever at one step, of one task. What a
 * relation's job does is one batch of it, in that transaction.
 */
async function stoppingTasks(
  connectionString: string,
  task: string,
  step: Step,
): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'millrace-tasks-'));
  const statements = await withOwnerClient(connectionString, taskStatements);
  const batch = `select millrace.recompute_batch(d.id) from millrace.derivation d
    where d.name = $1::jsonb ->> 'name'`;
  for (const [name, statement] of Object.entries(statements)) {
    if (name !== task) {
      await writeFile(join(path, `${name}.sql`), statement);
      continue;
    }
    const work = ['recompute', 'refresh'].includes(name)
      ? batch
      : statement.replace(/^call proof\.(\w+)\(/, 'select proof.$1_work(');
    await writeFile(
      join(path, `${name}.mjs`),
      `const reach = (step) => {
        if (step !== ${JSON.stringify(step)}) return;
        process.stdout.write('reached\\n');
        return new Promise(() => setInterval(() => undefined, 60_000));
      };
      export default async (payload, helpers) => {
        await reach('claimed');
        await helpers.withPgClient(async (client) => {
          await client.query('begin');
          await reach('before work');
          await client.query(${JSON.stringify(work)}, [JSON.stringify(payload)]);
          await reach('after work before commit');
          await client.query('commit');
        });
        await reach('after commit before ack');
      };`,
    );
  }
  await writeFile(join(path, 'crontab'), '');
  return { path, remove: () => rm(path, { recursive: true }) };
}

export interface HostProcess {
  child: ChildProcess;
  /** Resolves when its output has this text; fails when it ends before. */
  printed(text: string): Promise<void>;
  /** kill -9, and its end. */
  kill(): Promise<void>;
}

/** Runs a script of a few lines in a process of its own. */
export function startProcess(script: string): HostProcess {
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const watchers = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      for (const look of watchers) look();
    });
  }
  const ended = once(child, 'exit').then(() => {
    for (const look of watchers) look();
  });
  return {
    child,
    printed(text) {
      return new Promise((resolve, reject) => {
        const look = () => {
          const isEnded = child.exitCode !== null || child.signalCode !== null;
          if (!output.includes(text) && !isEnded) return;
          watchers.delete(look);
          if (output.includes(text)) resolve();
          else reject(new Error(`ended without "${text}":\n${output}`));
        };
        watchers.add(look);
        look();
      });
    },
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

const BROKEN = JSON.stringify(join(ROOT, 'test', 'chaos', 'lib', 'broken-hosts.ts'));
const moduleOf = (name: string) => JSON.stringify(join(ROOT, 'scripts', 'lib', `${name}.ts`));

/** A worker in a process of its own that stops for ever when this task is at this step. */
export async function startStoppingWorker(
  connectionString: string,
  task: string,
  step: Step,
): Promise<HostProcess & { remove(): Promise<void> }> {
  const tasks = await stoppingTasks(connectionString, task, step);
  const options = JSON.stringify({ connectionString, taskDirectory: tasks.path, pollInterval: 50 });
  return {
    ...startProcess(`await (await import(${moduleOf('worker')})).startWorker(${options})`),
    remove: tasks.remove,
  };
}

/** A ticker in a process of its own that takes log rows, says so, and never drains them. */
export function startForgetfulProcess(connectionString: string): HostProcess {
  return startProcess(`(await import(${BROKEN})).startForgetfulTicker(
    ${JSON.stringify(connectionString)},
    () => {
      process.stdout.write('taken\\n');
      return new Promise(() => setInterval(() => undefined, 60_000));
    });`);
}

/** A ticker in a process of its own, with a lease that outlives it. */
export function startLeaseProcess(connectionString: string): HostProcess {
  return startProcess(
    `await (await import(${BROKEN})).tickWithLease(${JSON.stringify(connectionString)})`,
  );
}

/** A ticker in a process of its own. */
export function startTickerProcess(connectionString: string): HostProcess {
  const options = JSON.stringify({ connectionString });
  return startProcess(`(await import(${moduleOf('ticker')})).startTicker(${options});
    process.stdout.write('ticking\\n')`);
}
