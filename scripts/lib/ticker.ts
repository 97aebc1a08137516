import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { log } from './log.ts';
import { ownerConfig } from './pg-owner.ts';

/*
 * The heartbeat of the engine: calls millrace.tick(), which drains the logs, again and again on a
 * connection of its own. Any number of hosts may run one: in the database one tick works and the
 * others return at once, so when a host dies the next tick of another host takes over.
 */

export interface TickerOptions {
  /** The owner's. */
  connectionString: string;
  /** The role that ticks. Default app_owner. */
  role?: string;
  /** Milliseconds between two ticks where somebody writes but nothing is left to do. Default 250. */
  interval?: number;
  /** Milliseconds before the next tick while there is more to do. Default 50. */
  pause?: number;
}

export interface Ticker {
  /** Lets the running tick end, at most for 10 s, and closes the connections. */
  stop(): Promise<void>;
}

interface Tick {
  more?: boolean;
  /** Logs that have lost enough rows for a vacuum, as qualified and quoted names. */
  vacuum?: string[];
  /** How far transactions had come when there was nothing to do, and nothing running. */
  seen?: string;
}

/** What the tickers of this process have done, for metrics. */
export interface TickStatistics {
  ticks: number;
  failures: number;
  /** Milliseconds that ticks took in all. */
  duration: number;
}

const statistics: TickStatistics = { ticks: 0, failures: 0, duration: 0 };

/** Null in a process without a ticker. */
export function tickStatistics(): TickStatistics | null {
  return statistics.ticks + statistics.failures === 0 ? null : { ...statistics };
}

/** Named, so that Postgres parses it once for a connection. */
const TICK = { name: 'tick', text: 'select millrace.tick() as tick' };

/**
 * In place of ticks while no transaction ends anywhere in the cluster: the server notices one in a
 * fifth of a second, at a fraction of what a tick costs on both sides.
 */
const AWAIT_CHANGE = { name: 'await_change', text: 'select millrace.await_change($1)' };

/** What a burst of writes has left of logs; looked for every so many milliseconds. */
const LARGE_LOGS = { name: 'large_logs', text: 'select millrace.large_logs() as logs' };
const LARGE_LOGS_INTERVAL = 30_000;

const RETRY_MIN = 250;
const RETRY_MAX = 5_000;
const STOP_TIMEOUT = 10_000;

/** Starts ticking, and goes on until stopped: a lost connection is opened again. */
export function startTicker({
  connectionString,
  role,
  interval = 250,
  pause = 50,
}: TickerOptions): Ticker {
  const stopping = new AbortController();
  const { signal } = stopping;
  const vacuum = makeVacuum(connectionString, role);
  let client: pg.Client | null = null;

  const wait = (ms: number) => sleep(ms, undefined, { signal }).catch(() => undefined);

  async function tickUntilLost(): Promise<void> {
    client = new pg.Client(ownerConfig(connectionString, 'ticker', role));
    // The statement under way fails with it; the event only must find a listener.
    client.on('error', () => undefined);
    try {
      await client.connect();
      // A drain that a crash takes back loses nothing: its log rows are there again.
      await client.query('set synchronous_commit to off');
      let lookAt = 0;
      while (!signal.aborted) {
        if (performance.now() >= lookAt) {
          const { rows } = await client.query<{ logs: string[] }>(LARGE_LOGS);
          vacuum.add(rows[0]?.logs ?? [], true);
          lookAt = performance.now() + LARGE_LOGS_INTERVAL;
        }
        const start = performance.now();
        const { rows } = await client.query<{ tick: Tick }>(TICK);
        failures = 0;
        statistics.ticks += 1;
        statistics.duration += performance.now() - start;
        const tick = rows[0]?.tick ?? {};
        vacuum.add(tick.vacuum ?? [], false);
        if (tick.seen !== undefined) {
          await client.query({ ...AWAIT_CHANGE, values: [tick.seen] });
        } else {
          await wait(tick.more === true ? pause : interval);
        }
      }
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  let failures = 0;
  async function run(): Promise<void> {
    while (!signal.aborted) {
      try {
        await tickUntilLost();
      } catch (error) {
        if (signal.aborted) return;
        failures += 1;
        statistics.failures += 1;
        log.warn({ err: error, failures }, 'a tick failed');
        await wait(Math.min(RETRY_MAX, RETRY_MIN * 2 ** (failures - 1)));
      }
    }
  }

  const running = run();
  return {
    async stop() {
      stopping.abort();
      const timer = setTimeout(() => void client?.end(), STOP_TIMEOUT);
      await running;
      await vacuum.stop();
      clearTimeout(timer);
    },
  };
}

/**
 * Vacuums logs one after the other, beside the ticks: vacuum cannot run inside a function, and a
 * tick must not wait for it.
 */
function makeVacuum(connectionString: string, role?: string) {
  /** By name: whether empty pages at the end are given back. */
  const waiting = new Map<string, boolean>();
  let working: Promise<void> | null = null;
  let client: pg.Client | null = null;

  async function work(): Promise<void> {
    client = new pg.Client(ownerConfig(connectionString, 'vacuum', role));
    client.on('error', () => undefined);
    try {
      await client.connect();
      for (const [table, truncate] of waiting) {
        waiting.delete(table);
        await client.query(`vacuum (analyze, skip_locked, truncate ${truncate}) ${table}`);
      }
    } catch (error) {
      // The log keeps its dead rows until the engine asks again.
      log.warn({ err: error }, 'a vacuum failed');
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  return {
    add(tables: string[], truncate: boolean) {
      for (const table of tables) {
        if (isQualifiedName(table)) waiting.set(table, truncate || waiting.get(table) === true);
        else log.warn({ table }, 'not the name of a table: not vacuumed');
      }
      if (waiting.size === 0 || working !== null) return;
      working = work().finally(() => {
        working = null;
      });
    },
    async stop() {
      waiting.clear();
      await working;
    },
  };
}

/** Whether the text is two names, quoted where they have to be, with a dot between: nothing else. */
function isQualifiedName(text: string): boolean {
  const name = /(?:[a-z_][a-z0-9_$]*|"(?:[^"]|"")+")/.source;
  return new RegExp(`^${name}\\.${name}$`).test(text);
}
