import { EventEmitter } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Logger, type Runner, run, type WorkerEvents } from 'graphile-worker';
import { ROOT } from './config.ts';
import { readEngineTasks } from './engine-tasks.ts';
import { log } from './log.ts';
import { ownerPool } from './pg-owner.ts';
import { SqlTasksPlugin } from './worker-sql-tasks.ts';

export interface WorkerOptions {
  /** The owner's. */
  connectionString: string;
  /** The role that the jobs are run as. Default app_owner. */
  role?: string;
  /** Run the engine's tasks and no others: the database has nothing else of the project. */
  engineOnly?: boolean;
  /** Jobs at the same time. Default 4. */
  concurrency?: number;
  /** Default: `tasks/` of the checkout. */
  taskDirectory?: string;
  /**
   * Milliseconds between two looks for jobs that nobody announces: those that are tried again. New
   * ones are announced, and begin at once. Default 5000.
   */
  pollInterval?: number;
}

export interface Worker {
  /** Takes no more jobs, lets those under way end (or gives them back), closes the connections. */
  stop(): Promise<void>;
}

const RETRY = 2_000;
/** Milliseconds without a job after which a runner that shut itself down is given up. */
const GIVEN_UP = 2_000;
/** Milliseconds between two heartbeats; the engine takes a host for dead after five of them. */
const HEARTBEAT = 2_000;

/**
 * Runs graphile-worker with the tasks and the crontab of `tasks/`. When it ends by itself, which it
 * does when the database is away, it is started again. When several reports of ended jobs have
 * failed it shuts down and never says that it has ended (0.18): when its jobs are over, it is given
 * up and another one started, else a host would live on without a worker.
 *
 * @throws when it cannot be started at all.
 */
export async function startWorker(options: WorkerOptions): Promise<Worker> {
  const stopping = new AbortController();
  const pool = ownerPool(
    options.connectionString,
    'worker',
    (options.concurrency ?? 4) + 4,
    options.role,
  );
  const events: WorkerEvents = new EventEmitter();
  let host: string | null = null;
  events.on('pool:create', ({ workerPool }) => {
    host = workerPool.id;
    beat();
  });
  const runs = options.engineOnly ? null : logRuns(events, pool);
  const beat = () => {
    if (host === null) return;
    // The next one comes soon; when none does, the jobs are given to another host.
    pool.query('select millrace.heartbeat($1)', [host]).catch((error: unknown) => {
      if (!pool.ending) log.warn({ err: error }, 'a heartbeat failed');
    });
  };
  const heart = setInterval(beat, HEARTBEAT);
  let jobs = 0;
  events.on('job:start', () => {
    jobs += 1;
  });
  events.on('job:complete', () => {
    jobs -= 1;
  });
  let shutDown = Promise.withResolvers<void>();
  events.on('pool:gracefulShutdown', () => shutDown.resolve());
  const start = async () => {
    shutDown = Promise.withResolvers();
    return await runWorker(pool, events, options);
  };

  /** Resolves when the runner has ended, or has shut down and does not say so. */
  async function ended(): Promise<void> {
    const silent = async () => {
      await shutDown.promise;
      do await sleep(GIVEN_UP, undefined, { ref: false });
      while (jobs > 0);
      return 'silent' as const;
    };
    const end = await Promise.race([
      runner.promise.catch((error: unknown) => log.error({ err: error }, 'the worker ended')),
      silent(),
    ]);
    if (end !== 'silent') return;
    log.error('the worker has shut down and does not end: it is given up');
    // Its crontab, at least.
    void runner.stop().catch(() => undefined);
  }

  let runner: Runner;
  try {
    runner = await start();
  } catch (error) {
    clearInterval(heart);
    await pool.end();
    throw error;
  }

  async function supervise(): Promise<void> {
    while (!stopping.signal.aborted) {
      await ended();
      while (!stopping.signal.aborted) {
        await sleep(RETRY, undefined, { signal: stopping.signal }).catch(() => undefined);
        if (stopping.signal.aborted) return;
        try {
          runner = await start();
          break;
        } catch (error) {
          log.warn({ err: error }, 'the worker could not be started again');
        }
      }
    }
  }

  const supervised = supervise();
  return {
    async stop() {
      stopping.abort();
      // Rejected when it has ended by itself.
      void runner.stop().catch(() => undefined);
      await supervised;
      clearInterval(heart);
      await runs?.written();
      await pool.end();
    },
  };
}

/**
 * Notes the runs of scheduled tasks, and what became of them, in millrace.run_log. A job of the
 * crontab says in its payload when it was due.
 */
function logRuns(events: WorkerEvents, pool: ReturnType<typeof ownerPool>) {
  const started = new Map<string, number>();
  const writing = new Set<Promise<unknown>>();
  events.on('job:start', ({ job }) => {
    if (isScheduled(job.payload)) started.set(job.id, performance.now());
  });
  events.on('job:complete', ({ job, error }) => {
    const start = started.get(job.id);
    started.delete(job.id);
    if (start === undefined || !isScheduled(job.payload)) return;
    const { ts, backfilled } = job.payload._cron;
    const attempt = job.attempts > 1 ? `, attempt ${job.attempts}` : '';
    const write = pool
      .query("select app_private.log_task($1, $2 * interval '1 millisecond', $3, $4)", [
        job.task_identifier,
        performance.now() - start,
        `due ${ts}${backfilled === true ? ', missed then' : ''}${attempt}`,
        error ? String((error as Error).message ?? error) : null,
      ])
      .catch((cause: unknown) => log.warn({ err: cause }, 'a run could not be logged'))
      .finally(() => writing.delete(write));
    writing.add(write);
  });
  return { written: () => Promise.all(writing) };
}

function isScheduled(payload: unknown): payload is { _cron: { ts: string; backfilled?: boolean } } {
  return typeof (payload as { _cron?: { ts?: unknown } } | null)?._cron?.ts === 'string';
}

async function runWorker(
  pgPool: ReturnType<typeof ownerPool>,
  events: WorkerEvents,
  {
    concurrency = 4,
    taskDirectory = join(ROOT, 'tasks'),
    pollInterval = 5_000,
    engineOnly = false,
  }: WorkerOptions,
): Promise<Runner> {
  return await run({
    pgPool,
    events,
    concurrency,
    pollInterval,
    ...(engineOnly
      ? await readEngineTasks(taskDirectory)
      : { taskDirectory, crontabFile: join(taskDirectory, 'crontab') }),
    noHandleSignals: true,
    logger,
    preset: {
      plugins: [SqlTasksPlugin],
      // Reported through its queue, which tries again when a connection is lost. Without it nobody
      // awaits the report: the rejection would end the process, or leave the job locked.
      worker: { completeJobBatchDelay: 0, failJobBatchDelay: 0 },
    },
  });
}

const LEVELS = { error: 'error', warning: 'warn', info: 'debug', debug: 'trace' } as const;

const logger = new Logger(() => (level, message, meta) => {
  // It takes every file of the folder for a task.
  if (message.startsWith("Failed to load task 'crontab'")) return;
  const { error } = (meta ?? {}) as { error?: unknown };
  log[LEVELS[level]](error === undefined ? {} : { err: error }, message);
});
