import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { ROOT } from '../lib/config.ts';
import { migrateUp } from '../lib/migrations.ts';
import { startTicker } from '../lib/ticker.ts';
import { startWorker } from '../lib/worker.ts';
import { describeServer, openServer, withClient } from './hot-key.ts';

/*
 * How old what a reader sees may be while everybody writes. One writer appends rows to one shop and
 * remembers when each was acknowledged; others write to other shops, so that no key is ever quiet. A
 * reader asks again and again how many of those rows each derivation shows: the oldest acknowledged
 * row that is missing makes what it sees that stale.
 *
 * max_wait and one run is what a reader may count on. The engine leaves room for the tick in
 * max_wait (250 ms, half of a shorter one); on a machine so busy that ticks come later than that,
 * what they took is shown beside it.
 */

export interface StalenessOptions {
  /** Seconds measured. */
  seconds: number;
  databaseUrl: string | null;
  onProgress?: (message: string) => void;
}

export interface StalenessDerivation {
  name: string;
  kind: 'counter' | 'incremental' | 'refresh' | 'react';
  /** Null for a counter: its stored value waits for the next tick and nothing else. */
  maxWaitMs: number | null;
  /** Runs that began and ended while it was measured. */
  runs: number;
  /** The longest, from the tick that asked for it to the tick that found it done. */
  runMs: number;
  /** max_wait and the longest run; of a counter, what two ticks took at most. */
  boundMs: number;
  /** Milliseconds that each read was behind, in ascending order. */
  staleness: number[];
}

export interface StalenessResult {
  seconds: number;
  /** Acknowledged rows of the writer, and of all others. */
  writes: number;
  otherWrites: number;
  reads: number;
  /** The longest time between the beginnings of a drain and of the next but one. */
  twoTicksMs: number;
  derivations: StalenessDerivation[];
}

/** What is known while it is measured. */
export interface StalenessProgress {
  elapsedMs: number;
  derivations: { name: string; maxWaitMs: number | null; maxMs: number; runs: number }[];
}

const SHOPS = 50;
const WRITERS = 3;
const TASK = 'bench_note';

/** What is measured: short waits and the default ones, both strategies, a reaction. */
const DERIVATIONS = [
  { name: 'bench.shop.event_count', kind: 'counter', column: 'c.event_count', maxWait: null },
  { name: 'bench.card', kind: 'incremental', column: 'a.events', maxWait: 1_000 },
  { name: 'bench.slow_card', kind: 'incremental', column: 'b.events', maxWait: 5_000 },
  { name: 'bench.board', kind: 'refresh', column: 'd.events', maxWait: 2_000 },
  { name: 'bench_noted', kind: 'react', column: 'e.events', maxWait: 1_000 },
] as const;

const READ = `select ${DERIVATIONS.map(({ column }) => `coalesce(${column}, 0)::integer`).join(', ')}
  from bench.shop c
  left join bench.card a on a.shop_id = c.id
  left join bench.slow_card b on b.shop_id = c.id
  left join bench.board d on d.shop_id = c.id
  left join bench.noted e on e.shop_id = c.id
  where c.id = 1`;

const SCHEMA = `
  create schema bench;
  create table bench.shop (id bigint primary key, event_count bigint not null default 0);
  create table bench.event (
    id bigint generated always as identity primary key,
    shop_id bigint not null references bench.shop
  );
  create index on bench.event (shop_id);
  create table bench.noted (shop_id bigint primary key, events bigint not null);
  create table bench.run (name text not null, queued_at timestamptz not null,
    done_at timestamptz not null default clock_timestamp());
  insert into bench.shop select generate_series(1, ${SHOPS});
  create view bench.card_definition as
    select s.id as shop_id, count(e.id) as events
    from bench.shop s left join bench.event e on e.shop_id = s.id group by s.id;
  select millrace.counter('bench.shop.event_count', 'bench.event', '{shop_id}');
  select millrace.materialize('bench.card', 'bench.card_definition', '{shop_id}',
    sources => '{"bench.shop": "id", "bench.event": "shop_id"}',
    debounce => '1 second', max_wait => '1 second');
  select millrace.materialize('bench.slow_card', 'bench.card_definition', '{shop_id}',
    sources => '{"bench.shop": "id", "bench.event": "shop_id"}');
  select millrace.materialize('bench.board', 'bench.card_definition', '{shop_id}', 'refresh',
    debounce => '2 seconds', max_wait => '2 seconds');
  select millrace.react('bench_noted', 'bench.event', '{shop_id}', '${TASK}',
    debounce => '1 second', max_wait => '1 second');
  /* A job is over when a tick has found that it is. */
  create function bench.note_run() returns trigger language plpgsql as $$
  begin
    insert into bench.run (name, queued_at)
      select d.name, old.queued_at from millrace.derivation d where d.id = new.derivation;
    return null;
  end $$;
  create trigger note_run after update on millrace.run for each row
    when (old.job_id is not null and new.job_id is null) execute function bench.note_run();
`;

const TASK_SQL = `insert into bench.noted as n
  select shop_id, count(*) from bench.event
  where shop_id = ($1::jsonb ->> 'shop_id')::bigint group by shop_id
  on conflict (shop_id) do update set events = excluded.events`;

export async function benchStaleness(
  options: StalenessOptions,
): Promise<StalenessResult & { server: Awaited<ReturnType<typeof describeServer>> }> {
  const server = await openServer({ databaseUrl: options.databaseUrl, profile: false });
  const progress = options.onProgress ?? (() => undefined);
  const name = `millrace_bench_${process.pid}`;
  try {
    return await withClient(server.connectionString, async (admin) => {
      await admin.query(`create database ${name} template template0`);
      const url = new URL(server.connectionString);
      url.pathname = `/${name}`;
      try {
        progress('migrating');
        await migrateUp(url.href);
        await declareStaleness(url.href);
        progress(`measuring ${options.seconds} s`);
        const result = await measureStaleness(
          url.href,
          ({ elapsedMs }) => elapsedMs >= options.seconds * 1_000,
        );
        return { ...result, server: await describeServer(admin) };
      } finally {
        await admin.query(`drop database if exists ${name} with (force)`);
      }
    });
  } finally {
    await server.stop();
  }
}

/** Makes what is measured in a database that has the engine. */
export async function declareStaleness(connectionString: string): Promise<void> {
  await withClient(connectionString, async (client) => {
    await client.query('set role app_owner');
    await client.query(SCHEMA);
  });
}

/**
 * Runs a host, writers and the reader until `isEnough`, which is asked about ten times a second.
 *
 * @throws Error where a derivation shows rows that nobody has written.
 */
export async function measureStaleness(
  connectionString: string,
  isEnough: (progress: StalenessProgress) => boolean,
): Promise<StalenessResult> {
  const tasks = await mkdtemp(join(tmpdir(), 'millrace-staleness-'));
  for (const file of ['recompute.sql', 'refresh.sql']) {
    await copyFile(join(ROOT, 'tasks', file), join(tasks, file));
  }
  await writeFile(join(tasks, `${TASK}.sql`), TASK_SQL);
  await writeFile(join(tasks, 'crontab'), '');
  const worker = await startWorker({ connectionString, taskDirectory: tasks });
  const ticker = startTicker({ connectionString });
  try {
    return await withClient(connectionString, async (client) => {
      await client.query('set role app_owner');
      return await observe(connectionString, client, isEnough);
    });
  } finally {
    await ticker.stop();
    await worker.stop();
    await rm(tasks, { recursive: true });
  }
}

async function observe(
  connectionString: string,
  client: pg.Client,
  isEnough: (progress: StalenessProgress) => boolean,
): Promise<StalenessResult> {
  /** When the first, second, … row of shop 1 was acknowledged. */
  const acknowledged: number[] = [];
  let sent = 0;
  let otherWrites = 0;
  let reads = 0;
  let over = false;

  async function write(statement: () => string, before: () => void, after: () => void) {
    await withClient(connectionString, async (writer) => {
      await writer.query('set role app_owner');
      try {
        while (!over) {
          before();
          await writer.query(statement());
          after();
          await sleep(4);
        }
      } finally {
        over = true;
      }
    });
  }
  const { rows: start } = await client.query<{ at: Date }>('select clock_timestamp() as at');
  const insert = (shop: number) => `insert into bench.event (shop_id) values (${shop})`;
  const writers = Promise.all([
    write(
      () => insert(1),
      () => {
        sent += 1;
      },
      () => acknowledged.push(performance.now()),
    ),
    ...Array.from({ length: WRITERS }, () =>
      write(
        () => insert(2 + Math.floor(Math.random() * (SHOPS - 1))),
        () => undefined,
        () => {
          otherWrites += 1;
        },
      ),
    ),
  ]);
  // Reported when it is awaited; until then it must not count as unheard of.
  writers.catch(() => undefined);

  const staleness: number[][] = DERIVATIONS.map(() => []);
  const highest = DERIVATIONS.map(() => 0);
  const runs = async () => {
    const { rows } = await client.query<{ name: string; runs: number; longest: number }>(
      `select r.name, count(*)::integer as runs,
        max(extract(epoch from r.done_at - r.queued_at) * 1000)::float8 as longest
      from bench.run r group by r.name`,
    );
    return new Map(rows.map((row) => [row.name, row]));
  };
  const began = performance.now();
  let looked = began;
  while (!over) {
    const asked = performance.now();
    const { rows } = await client.query<number[]>({ text: READ, rowMode: 'array' });
    const seen = rows[0] ?? [];
    for (const [index, derivation] of DERIVATIONS.entries()) {
      const events = seen[index] ?? 0;
      if (events > sent) throw new Error(`${derivation.name} shows ${events} of ${sent} rows`);
      const missing = acknowledged[events];
      const behind = missing === undefined ? 0 : Math.max(0, asked - missing);
      staleness[index]?.push(behind);
      highest[index] = Math.max(highest[index] ?? 0, behind);
    }
    reads += 1;
    if (asked - looked >= 100) {
      looked = asked;
      const known = await runs();
      if (
        isEnough({
          elapsedMs: asked - began,
          derivations: DERIVATIONS.map(({ name, maxWait }, index) => ({
            name,
            maxWaitMs: maxWait,
            maxMs: highest[index] ?? 0,
            runs: known.get(name)?.runs ?? 0,
          })),
        })
      ) {
        break;
      }
    }
    await sleep(5);
  }
  const seconds = (performance.now() - began) / 1_000;
  over = true;
  await writers;

  const known = await runs();
  // What a drain does is seen before the next begins; what it has not seen, before the next but one.
  const { rows: ticks } = await client.query<{ two: number; longest: number }>(
    `select
      max(extract(epoch from coalesce(d.after, clock_timestamp()) - d.started_at) * 1000)::float8
        as two,
      max(extract(epoch from d.finished_at - d.started_at) * 1000)::float8 as longest
    from (
      select r.started_at, r.finished_at,
        lead(r.started_at, 2) over (order by r.started_at) as after
      from (
        select r.started_at, r.finished_at from millrace.run_log r
        where r.kind = 'drain' and r.started_at >= $1
        union all
        select $1, null
      ) r
    ) d`,
    [start[0]?.at],
  );
  const { two, longest } = ticks[0] as { two: number; longest: number };
  return {
    seconds,
    writes: acknowledged.length,
    otherWrites,
    reads,
    twoTicksMs: two,
    derivations: DERIVATIONS.map(({ name, kind, maxWait }, index) => {
      const runMs = maxWait === null ? longest : (known.get(name)?.longest ?? 0);
      return {
        name,
        kind,
        maxWaitMs: maxWait,
        runs: known.get(name)?.runs ?? 0,
        runMs,
        boundMs: maxWait === null ? two : maxWait + runMs,
        staleness: (staleness[index] ?? []).sort((a, b) => a - b),
      };
    }),
  };
}

/** The value that this share of the values, in ascending order, does not exceed. */
function percentile(values: readonly number[], share: number): number {
  return values[Math.max(0, Math.ceil(values.length * share) - 1)] ?? NaN;
}

const STEPS = 8;

/** How many values there are in each of so many equal steps from zero to the bound, and above. */
function histogram({ staleness, boundMs }: StalenessDerivation) {
  const steps = Array.from({ length: STEPS + 1 }, (_, step) => ({
    fromMs: Math.round((boundMs * step) / STEPS),
    toMs: step === STEPS ? null : Math.round((boundMs * (step + 1)) / STEPS),
    count: 0,
  }));
  for (const value of staleness) {
    const step = steps[Math.min(STEPS, Math.floor((value / boundMs) * STEPS))];
    if (step) step.count += 1;
  }
  return steps;
}

/** Whether nothing that was read was older than max_wait and one run. */
export function isWithin({ staleness, boundMs }: StalenessDerivation): boolean {
  return (staleness.at(-1) ?? 0) <= boundMs;
}

const round = (value: number) => Math.round(value * 10) / 10;

/** The result as programs read it. */
export function stalenessJson(result: StalenessResult): Record<string, unknown> {
  return {
    seconds: round(result.seconds),
    writes: result.writes + result.otherWrites,
    reads: result.reads,
    twoTicksMs: round(result.twoTicksMs),
    derivations: result.derivations.map((it) => ({
      name: it.name,
      kind: it.kind,
      maxWaitMs: it.maxWaitMs,
      runs: it.runs,
      runMs: round(it.runMs),
      boundMs: round(it.boundMs),
      stalenessMs: {
        p50: round(percentile(it.staleness, 0.5)),
        p99: round(percentile(it.staleness, 0.99)),
        max: round(percentile(it.staleness, 1)),
      },
      histogram: histogram(it),
      within: isWithin(it),
    })),
  };
}

/** The result for people: for each derivation its bound, what was seen, and a chart of it. */
export function stalenessReport(result: StalenessResult & { server: { version: string } }): string {
  const processors = cpus();
  return [
    `staleness: ${result.seconds.toFixed(0)} s, ${result.writes + result.otherWrites} rows written, ` +
      `${result.reads} reads; two ticks took ${result.twoTicksMs.toFixed(0)} ms at most`,
    `machine  ${processors.length} × ${processors[0]?.model.trim()}, ` +
      `load ${loadavg()[0]?.toFixed(1)}; client and server share it`,
    `server   Postgres ${result.server.version}`,
    ...result.derivations.flatMap((it) => {
      const steps = histogram(it);
      const most = Math.max(...steps.map(({ count }) => count));
      return [
        '',
        `${it.name} (${it.kind}${it.maxWaitMs === null ? '' : `, max_wait ${it.maxWaitMs} ms`}): ` +
          `p50 ${percentile(it.staleness, 0.5).toFixed(0)}, ` +
          `p99 ${percentile(it.staleness, 0.99).toFixed(0)}, ` +
          `max ${percentile(it.staleness, 1).toFixed(0)} ms; ` +
          `bound ${it.boundMs.toFixed(0)} ms (longest ${
            it.kind === 'counter' ? 'drain' : `of ${it.runs} runs`
          } ${it.runMs.toFixed(0)} ms): ${isWithin(it) ? 'within' : 'EXCEEDED'}`,
        ...steps
          .filter(({ toMs, count }) => toMs !== null || count > 0)
          .map(
            ({ fromMs, toMs, count }) =>
              `  ${toMs === null ? 'more'.padStart(11) : `${fromMs} – ${toMs}`.padStart(13)} ms ` +
              `${String(count).padStart(7)} ${'#'.repeat(Math.ceil((count / most) * 40))}`,
          ),
      ];
    }),
    '',
  ].join('\n');
}
