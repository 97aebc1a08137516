import { randomUUID } from 'node:crypto';
import { cpus, loadavg, platform, release, totalmem } from 'node:os';
import pg from 'pg';
import { createRandom } from '../lib/demo-random.ts';
import { migrateUp } from '../lib/migrations.ts';
import { describeServer, median, openServer, startTickerThread, withClient } from './hot-key.ts';

/*
 * Telemetry: how many events a second come in, by batches of several sizes on several connections,
 * with everything declared and the ticker running; and what a question about one day costs with one
 * month of events and with 24.
 *
 * Clients send as the API does, through ingest_telemetry as app_account, each connection for an
 * account of its own; every event has an id, a time and a payload. Beside it stands the same rows
 * inserted into a plain table with the same columns and indexes: what Postgres alone takes for
 * them. At the end every sum is compared with a recount: fast and wrong is no result.
 */

export interface TelemetryOptions {
  /** Seconds of each run. */
  seconds: number;
  rounds: number;
  /** Events of each of the 24 months that questions are asked of. */
  eventsPerMonth: number;
  databaseUrl: string | null;
  onProgress?: (message: string) => void;
}

export interface IngestResult {
  /** Through ingest_telemetry, or into a plain table. */
  into: 'telemetry' | 'plain';
  batch: number;
  connections: number;
  /** Events a second, of each round. */
  eventsPerSecond: number[];
  /** Milliseconds of a call, median and 99th percentile, of each round. */
  p50Ms: number[];
  p99Ms: number[];
}

export interface QueryResult {
  query: string;
  months: number;
  /** Partitions that the plan reads. */
  partitions: number;
  p50Ms: number;
  p99Ms: number;
}

export interface TelemetryBenchResult {
  server: { version: string; settings: Record<string, string>; embedded: boolean };
  seconds: number;
  rounds: number;
  ingest: IngestResult[];
  /** Events that came in in all, and the milliseconds from the last one until all were counted. */
  events: number;
  countedAfterMs: number;
  eventsPerMonth: number;
  eventsPerDay: number;
  queries: QueryResult[];
}

const BATCHES = [1, 10, 100, 1_000];
const CONNECTIONS = [1, 2, 4, 8];
const KINDS = ['page.view', 'click', 'error', 'search', 'vote', 'scroll', 'app.start', 'app.end'];
const MONTHS = 24;
const ASKED = 100;

/**
 * Runs the benchmark: about 20 × rounds × seconds, and a minute for the 24 months.
 *
 * @throws Error when an event is refused, or a sum differs from a recount.
 */
export async function benchTelemetry(options: TelemetryOptions): Promise<TelemetryBenchResult> {
  const server = await openServer({ databaseUrl: options.databaseUrl, profile: false });
  const progress = options.onProgress ?? (() => undefined);
  const inDatabase = async <T>(
    admin: pg.Client,
    name: string,
    work: (connectionString: string) => Promise<T>,
  ) => {
    const url = new URL(server.connectionString);
    url.pathname = `/${name}`;
    await admin.query(`create database ${name} template template0`);
    try {
      progress('migrating');
      await migrateUp(url.href);
      return await work(url.href);
    } finally {
      await admin.query(`drop database ${name} with (force)`);
    }
  };
  try {
    return await withClient(server.connectionString, async (admin) => {
      const prefix = `millrace_bench_${process.pid}`;
      const ingest = await inDatabase(admin, `${prefix}_ingest`, (connectionString) =>
        measureIngest(connectionString, options, progress),
      );
      const asked = await inDatabase(admin, `${prefix}_query`, (connectionString) =>
        measureQueries(connectionString, options, progress),
      );
      return {
        server: { ...(await describeServer(admin)), embedded: server.embedded },
        seconds: options.seconds,
        rounds: options.rounds,
        eventsPerMonth: options.eventsPerMonth,
        ...ingest,
        ...asked,
      };
    });
  } finally {
    await server.stop();
  }
}

async function measureIngest(
  connectionString: string,
  { seconds, rounds }: TelemetryOptions,
  progress: (message: string) => void,
): Promise<Pick<TelemetryBenchResult, 'ingest' | 'events' | 'countedAfterMs'>> {
  const most = Math.max(...CONNECTIONS);
  const accounts = await asOwner(connectionString, async (client) => {
    await client.query(PLAIN);
    const { rows } = await client.query<{ id: string }>(
      `insert into app_public.account (display_name)
      select 'Sender ' || i from generate_series(1, $1::int) i returning id`,
      [most],
    );
    return rows.map(({ id }) => id);
  });
  const senders = await Promise.all(
    accounts.map(async (account) => {
      const client = new pg.Client({
        connectionString,
        application_name: 'bench sender',
        options: `-c role=app_account -c app.account_id=${account}`,
      });
      await client.connect();
      return client;
    }),
  );
  const ingest: IngestResult[] = [
    ...BATCHES.flatMap((batch) =>
      CONNECTIONS.map((connections) => ({ into: 'telemetry' as const, batch, connections })),
    ),
    ...CONNECTIONS.map((connections) => ({ into: 'plain' as const, batch: 1_000, connections })),
  ].map((it) => ({ ...it, eventsPerSecond: [], p50Ms: [], p99Ms: [] }));
  const ticker = await startTickerThread(connectionString);
  const makeBatch = eventMaker();
  try {
    for (let round = 1; round <= rounds; round += 1) {
      for (const run of round % 2 === 1 ? ingest : ingest.toReversed()) {
        progress(`round ${round}: ${run.batch} events a call, ${run.connections} connections`);
        // What the last run has left to count is not this one's.
        await asOwner(connectionString, drained);
        const until = performance.now() + seconds * 1000;
        const started = performance.now();
        const times: number[] = [];
        let events = 0;
        await Promise.all(
          senders.slice(0, run.connections).map(async (client) => {
            while (performance.now() < until) {
              const values = [makeBatch(run.batch)];
              const sentAt = performance.now();
              const { rows } = await client.query<{ stored: number }>({
                name: run.into,
                text: run.into === 'telemetry' ? INGEST : INSERT,
                values,
              });
              times.push(performance.now() - sentAt);
              if (rows[0]?.stored !== run.batch) throw new Error('events were refused');
              events += run.batch;
            }
          }),
        );
        run.eventsPerSecond.push((events * 1000) / (performance.now() - started));
        times.sort((a, b) => a - b);
        run.p50Ms.push(at(times, 0.5));
        run.p99Ms.push(at(times, 0.99));
      }
    }
    const ended = performance.now();
    await asOwner(connectionString, drained);
    const countedAfterMs = performance.now() - ended;
    const events = await asOwner(connectionString, expectCounted);
    return { ingest, events, countedAfterMs };
  } finally {
    await ticker.stop();
    await Promise.all(senders.map((client) => client.end()));
  }
}

const INGEST = 'select stored_count as stored from app_public.ingest_telemetry($1)';
const INSERT = `
  with written as (
    insert into bench.event (account_id, id, occurred_at, kind, payload)
    select 1, e.id, e."occurredAt", e.kind, e.payload
    from json_to_recordset($1::json) e(id uuid, "occurredAt" timestamptz, kind text, payload jsonb)
    returning 1
  )
  select count(*)::int as stored from written`;

/** A table like telemetry_event, in one piece and with nothing derived. */
const PLAIN = `
  create schema bench;
  create table bench.event (like app_public.telemetry_event including all);
  grant usage on schema bench to app_account;
  grant select, insert on bench.event to app_account`;

/** A JSON text of so many events, each of its own. */
function eventMaker(): (size: number) => string {
  const random = createRandom(1);
  return (size) => {
    const occurredAt = new Date().toISOString();
    return JSON.stringify(
      Array.from({ length: size }, () => ({
        id: randomUUID(),
        kind: random.pick(KINDS),
        occurredAt,
        payload: { path: `/projects/${random.below(2_000)}`, ms: random.below(5_000), app: 'web' },
      })),
    );
  };
}

/** Every sum is what a recount of the events says; returns how many events there are. */
async function expectCounted(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ events: number; wrong: number }>(`
    select sum(e.events)::int as events,
      count(*) filter (where (d.event_count, d.account_count)
        is distinct from (e.events, e.accounts))::int as wrong
    from (
      select day, kind, count(*) as events, count(distinct account_id) as accounts
      from app_public.telemetry_event group by day, kind
    ) e
    full join app_public.telemetry_day d using (day, kind)`);
  const { events = 0, wrong = 0 } = rows[0] ?? {};
  if (wrong > 0) throw new Error(`${wrong} sums differ from a recount`);
  return events;
}

async function drained(client: pg.Client): Promise<void> {
  for (;;) {
    const { rows } = await client.query<{ pending: boolean }>(
      `select millrace.drain() is null or exists (
        select from millrace.status where name like 'app_public.telemetry_day.%' and pending_rows > 0
      ) as pending`,
    );
    if (!rows[0]?.pending) return;
  }
}

async function measureQueries(
  connectionString: string,
  { eventsPerMonth }: TelemetryOptions,
  progress: (message: string) => void,
): Promise<Pick<TelemetryBenchResult, 'queries' | 'eventsPerDay'>> {
  const queries: QueryResult[] = [];
  let eventsPerDay = 0;
  await asOwner(connectionString, async (client) => {
    // Only the reading is measured here: filled without counting, counted once at the end.
    await client.query(`
      set timezone = 'UTC';
      select millrace.drop(name) from millrace.status where name like 'app_public.telemetry_day.%';
      insert into app_public.account (display_name)
        select 'Sender ' || i from generate_series(1, 2000) i;
      insert into app_private.account_role (account_id, role) values (1, 'moderator')`);
    for (const months of [1, MONTHS]) {
      for (let month = months === 1 ? 1 : 2; month <= months; month += 1) {
        progress(`filling month ${month}`);
        await fillMonth(client, month, eventsPerMonth);
      }
      await client.query('reset role');
      await client.query('vacuum (analyze) app_public.telemetry_event; ');
      await client.query('vacuum (analyze) app_public.telemetry_day');
      await client.query('set role app_owner');
      const { rows } = await client.query<{ day: string; n: number; path: string }>(
        `select day::text, count(*)::int as n, min(payload ->> 'path') as path
        from app_public.telemetry_event
        where day = (date_trunc('month', now()) - interval '1 month')::date + 13 group by day`,
      );
      const found = rows[0] as (typeof rows)[0];
      eventsPerDay = found.n;
      progress(`asking ${months === 1 ? 'one month' : `${months} months`}`);
      queries.push(...(await ask(connectionString, months, found.day, found.path)));
    }
  });
  return { queries, eventsPerDay };
}

/** Fills the month before the current one, or an earlier one, with its sums. */
async function fillMonth(client: pg.Client, month: number, events: number): Promise<void> {
  await client.query(
    `select millrace.partition_create('app_public.telemetry_event', m, m + interval '1 month')
    from (select date_trunc('month', now()) - $1::int * interval '1 month' as m) x`,
    [month],
  );
  await client.query(
    `insert into app_public.telemetry_event (account_id, kind, occurred_at, payload)
    select 1 + (i::bigint * 7919) % 2000, ($3::text[])[1 + i % $4::int],
      m + i * interval '28 days' / $2::int,
      jsonb_build_object('path', '/projects/' || (i::bigint * 104729) % 2000,
        'ms', i % 5000, 'app', 'web')
    from (select date_trunc('month', now()) - $1::int * interval '1 month' as m) x,
      generate_series(0, $2::int - 1) i`,
    [month, events, KINDS, KINDS.length],
  );
  await client.query(
    `insert into app_public.telemetry_day (day, kind, event_count, account_count)
    select e.day, e.kind, count(*), count(distinct e.account_id)
    from app_public.telemetry_event e,
      lateral (select date_trunc('month', now()) - $1::int * interval '1 month' as m) x
    where e.occurred_at >= x.m and e.occurred_at < x.m + interval '1 month'
    group by e.day, e.kind`,
    [month],
  );
}

const QUESTIONS: [name: string, text: string][] = [
  [
    'a page of 20 events, newest first',
    `select t.id, t.kind, t.occurred_at, t.payload from app_public.telemetry_events($1, $1) t
    order by t.day desc, t.occurred_at desc, t.id desc, t.account_id desc limit 21`,
  ],
  [
    'a page of 20 events of one kind',
    `select t.id, t.kind, t.occurred_at, t.payload
    from app_public.telemetry_events($1, $1, 'click') t
    order by t.day desc, t.occurred_at desc, t.id desc, t.account_id desc limit 21`,
  ],
  [
    'its events counted by kind',
    'select t.kind, count(*) from app_public.telemetry_events($1, $1) t group by t.kind',
  ],
  [
    'events whose payload has a path',
    `select t.id from app_public.search_telemetry('{"path": "{path}"}', $1, $1) t`,
  ],
  [
    'its sums by kind, as stored',
    'select d.kind, d.event_count, d.account_count from app_public.telemetry_days($1, $1) d',
  ],
];

/** Asks as a moderator, prepared and repeated, as a pool's connection does. */
async function ask(
  connectionString: string,
  months: number,
  day: string,
  path: string,
): Promise<QueryResult[]> {
  const client = new pg.Client({
    connectionString,
    options: '-c role=app_moderator -c app.account_id=1',
  });
  await client.connect();
  try {
    const results: QueryResult[] = [];
    for (const [query, question] of QUESTIONS) {
      const text = question.replace('{path}', path);
      const times: number[] = [];
      let found = 0;
      for (let round = 0; round < ASKED + 10; round += 1) {
        const started = performance.now();
        const { rowCount } = await client.query({ name: query, text, values: [day] });
        if (round >= 10) times.push(performance.now() - started);
        found = rowCount ?? 0;
      }
      if (found === 0) throw new Error(`${query}: nothing was found`);
      const { rows } = await client.query(`explain (format json) ${text}`, [day]);
      const partitions = new Set(
        JSON.stringify(rows[0]).match(/"Relation Name":"telemetry_(event|day)[^"]*"/g),
      ).size;
      times.sort((a, b) => a - b);
      results.push({ query, months, partitions, p50Ms: at(times, 0.5), p99Ms: at(times, 0.99) });
    }
    return results;
  } finally {
    await client.end();
  }
}

async function asOwner<T>(
  connectionString: string,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  return await withClient(connectionString, async (client) => {
    await client.query('set role app_owner');
    return await work(client);
  });
}

/** The value that so large a part of sorted values does not exceed. */
function at(sorted: number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

/** The result as programs read it: medians over the rounds. */
export function telemetryJson(result: TelemetryBenchResult): Record<string, unknown> {
  const round = (value: number) => Number(value.toFixed(3));
  return {
    ingest: result.ingest.map((it) => ({
      into: it.into,
      batch: it.batch,
      connections: it.connections,
      eventsPerSecond: Math.round(median(it.eventsPerSecond)),
      p50Ms: round(median(it.p50Ms)),
      p99Ms: round(median(it.p99Ms)),
    })),
    events: result.events,
    countedAfterMs: round(result.countedAfterMs),
    eventsPerMonth: result.eventsPerMonth,
    eventsPerDay: result.eventsPerDay,
    queries: result.queries.map((it) => ({
      ...it,
      p50Ms: round(it.p50Ms),
      p99Ms: round(it.p99Ms),
    })),
  };
}

/** The result for people. */
export function telemetryReport(result: TelemetryBenchResult): string {
  const { server, ingest, queries } = result;
  const processors = cpus();
  const settings = Object.entries(server.settings).map(([name, value]) => `${name}=${value}`);
  const whole = (value: number) => Math.round(value).toLocaleString('en-US');
  const cell = (it: IngestResult) =>
    `${whole(median(it.eventsPerSecond))} (${median(it.p50Ms).toFixed(1)} / ` +
    `${median(it.p99Ms).toFixed(1)})`;
  const line = (name: string, cells: string[]) =>
    name.padEnd(26) + cells.map((it) => it.padStart(24)).join('');
  const row = (name: string, into: IngestResult['into'], batch: number) =>
    line(
      name,
      CONNECTIONS.map((connections) =>
        cell(
          ingest.find(
            (it) => it.into === into && it.batch === batch && it.connections === connections,
          ) as IngestResult,
        ),
      ),
    );
  return [
    `telemetry: medians of ${result.rounds} rounds of ${result.seconds} s`,
    `machine  ${processors.length} × ${processors[0]?.model.trim()}, ` +
      `${Math.round(totalmem() / 2 ** 30)} GB, ${platform()} ${release()}, ` +
      `load ${loadavg()[0]?.toFixed(1)}; clients and server share it`,
    `server   Postgres ${server.version}${server.embedded ? ' (embedded)' : ''}: ${settings.join(', ')}`,
    '',
    'events a second that come in (milliseconds of a call, p50 / p99), by connections',
    line(
      'events a call',
      CONNECTIONS.map((it) => String(it)),
    ),
    ...BATCHES.map((batch) => row(whole(batch), 'telemetry', batch)),
    row('1,000 into a plain table', 'plain', 1_000),
    `${whole(result.events)} events; all counted ${whole(result.countedAfterMs)} ms after the last, ` +
      'every sum equal to a recount',
    '',
    `one day of ${whole(result.eventsPerDay)} events, of ${whole(result.eventsPerMonth)} a month: ` +
      'milliseconds, p50 / p99 (tables or partitions read)',
    line('', ['1 month', `${MONTHS} months`]).padEnd(40),
    ...QUESTIONS.map(([name]) =>
      [
        name.padEnd(36),
        ...[1, MONTHS].map((months) => {
          const it = queries.find(
            (query) => query.query === name && query.months === months,
          ) as QueryResult;
          const read = it.partitions === 0 ? '' : ` (${it.partitions})`;
          return `${it.p50Ms.toFixed(2)} / ${it.p99Ms.toFixed(2)}${read}`.padStart(24);
        }),
      ].join(''),
    ),
    '',
  ].join('\n');
}
