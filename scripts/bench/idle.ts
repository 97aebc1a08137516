import { type ChildProcess, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { ROOT } from '../lib/config.ts';
import { migrateUp } from '../lib/migrations.ts';
import { median, openServer, withClient } from './hot-key.ts';

/*
 * What the system costs while nothing changes: `npm run worker` (ticker, jobs, analyses) and all
 * processes of its Postgres, with so many derivations declared; processor time from /proc. And the
 * time of a tick.
 */

export interface IdleOptions {
  derivations: number;
  /** Seconds measured. */
  seconds: number;
  databaseUrl: string | null;
  onProgress?: (message: string) => void;
}

export interface IdleResult {
  derivations: number;
  seconds: number;
  /** Milliseconds of a tick with nothing to do. */
  tickMs: { p50: number; p99: number };
  /** Share of one core in percent, by kind of process. */
  cpuPercent: Record<string, number>;
  totalPercent: number;
}

const TICKS = 500;

/** @throws Error where processor times cannot be read: they come from /proc of the same machine. */
export async function benchIdle(options: IdleOptions): Promise<IdleResult> {
  const server = await openServer({ databaseUrl: options.databaseUrl, profile: false });
  const progress = options.onProgress ?? (() => undefined);
  const name = `millrace_bench_${process.pid}`;
  try {
    return await withClient(server.connectionString, async (admin) => {
      await admin.query(`create database ${name} template template0`);
      const url = new URL(server.connectionString);
      url.pathname = `/${name}`;
      let worker: ChildProcess | null = null;
      try {
        progress('migrating');
        await migrateUp(url.href);
        return await withClient(url.href, async (client) => {
          const derivations = await declare(client, options.derivations);
          progress('timing ticks');
          const ticks: number[] = [];
          for (let i = 0; i < TICKS; i += 1) {
            const started = performance.now();
            await client.query('select millrace.tick()');
            if (i >= TICKS / 10) ticks.push(performance.now() - started);
          }
          ticks.sort((a, b) => a - b);
          worker = spawn(process.execPath, [join(ROOT, 'scripts/worker.ts')], {
            env: { ...process.env, DATABASE_URL: url.href, LOG_LEVEL: 'warn' },
            stdio: ['ignore', 'inherit', 'inherit'],
          });
          // Start-up, the first checkpoint and what autovacuum finds after the migrations.
          progress('waiting for quiet');
          await sleep(20_000);
          await admin.query('checkpoint');
          progress(`measuring ${options.seconds} s`);
          const before = await processorTimes(admin, worker);
          await sleep(options.seconds * 1_000);
          const after = await processorTimes(admin, worker);
          const cpuPercent = difference(before, after, options.seconds);
          if (worker.exitCode !== null || !('millrace ticker' in cpuPercent)) {
            throw new Error('The worker did not run: nothing was measured');
          }
          return {
            derivations,
            seconds: options.seconds,
            tickMs: { p50: median(ticks), p99: ticks[Math.floor(ticks.length * 0.99)] ?? NaN },
            cpuPercent,
            totalPercent: Object.values(cpuPercent).reduce((sum, value) => sum + value, 0),
          };
        });
      } finally {
        await stop(worker);
        await admin.query(`drop database if exists ${name} with (force)`);
      }
    });
  } finally {
    await server.stop();
  }
}

async function stop(child: ChildProcess | null): Promise<void> {
  if (child === null || child.exitCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await ended;
}

/** Declares counters until there are so many derivations; returns how many there are. */
async function declare(client: pg.Client, wanted: number): Promise<number> {
  await client.query('set role app_owner');
  const { rows } = await client.query<{ n: number }>(
    'select count(*)::integer as n from millrace.derivation',
  );
  const present = rows[0]?.n ?? 0;
  for (let i = present; i < wanted; i += 1) {
    await client.query(`
      create table app_private.idle_source_${i} (target_id bigint not null);
      create index on app_private.idle_source_${i} (target_id);
      create table app_private.idle_target_${i} (id bigint primary key, n bigint default 0);
    `);
    await client.query('select millrace.counter($1, $2, $3)', [
      `app_private.idle_target_${i}.n`,
      `app_private.idle_source_${i}`,
      '{target_id}',
    ]);
  }
  await client.query('reset role');
  return Math.max(present, wanted);
}

type ProcessorTimes = Map<string, { kind: string; nanoseconds: number }>;

/** Nanoseconds on a processor: of the worker with its threads, of each process of the server. */
async function processorTimes(admin: pg.Client, worker: ChildProcess): Promise<ProcessorTimes> {
  const { rows } = await admin.query<{ pid: number; kind: string }>(
    `select pid, case
         when backend_type = 'client backend' then coalesce(nullif(application_name, ''), 'other')
         else backend_type end as kind
     from pg_stat_activity
     where pid <> pg_backend_pid()`,
  );
  const times: ProcessorTimes = new Map();
  for (const { pid, kind } of [{ pid: worker.pid ?? 0, kind: 'worker process' }, ...rows]) {
    // utime and stime, of all threads, in hundredths of a second
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
    const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields) {
      times.set(`${pid}`, {
        kind,
        nanoseconds: (Number(fields[11]) + Number(fields[12])) * 10_000_000,
      });
    }
  }
  if (times.size < 2) throw new Error('The processor times of the server cannot be read');
  return times;
}

function difference(
  before: ProcessorTimes,
  after: ProcessorTimes,
  seconds: number,
): Record<string, number> {
  const kinds: Record<string, number> = {};
  for (const [pid, { kind, nanoseconds }] of after) {
    const spent = nanoseconds - (before.get(pid)?.nanoseconds ?? 0);
    kinds[kind] = (kinds[kind] ?? 0) + spent / 1e7 / seconds;
  }
  return Object.fromEntries(Object.entries(kinds).sort(([, a], [, b]) => b - a));
}

/** The result for people. */
export function idleReport(result: IdleResult): string {
  const percent = (value: number) => `${value.toFixed(2)} %`.padStart(8);
  return [
    `idle: ${result.derivations} derivations, nothing changing, ${result.seconds} s, ` +
      `one core of ${cpus()[0]?.model.trim()} is 100 %`,
    `tick ${result.tickMs.p50.toFixed(2)} ms (p99 ${result.tickMs.p99.toFixed(2)} ms), ` +
      `target below 1 ms: ${result.tickMs.p50 < 1 ? 'met' : 'missed'}`,
    ...Object.entries(result.cpuPercent)
      .filter(([, value]) => value > 0)
      .map(([kind, value]) => `${percent(value)}  ${kind}`),
    `${percent(result.totalPercent)}  in all, target below 1 %: ` +
      `${result.totalPercent < 1 ? 'met' : 'missed'}`,
    '',
  ].join('\n');
}
