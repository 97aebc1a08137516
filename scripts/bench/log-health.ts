import { cpus, loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { migrateUp } from '../lib/migrations.ts';
import {
  describeServer,
  type Load,
  median,
  openServer,
  refuseFailures,
  startLoad,
  startTickerThread,
  withClient,
} from './hot-key.ts';
import type { LoadOptions } from './load-types.ts';
import { type ProcessorTimes, processorTimes } from './profile.ts';
import { openWire, type Wire } from './wire.ts';

/*
 * What becomes of the logs, of the drains and of exact reads while rows are written for minutes and
 * somebody holds a snapshot open for a part of the time: then no drained row can be removed, and what
 * goes by the number of dead rows shows.
 *
 * The community schema with all its counters, one hot conversation and many cold ones, a ticker. The
 * run is cut into slots. In each, writers write and readers read; at its end the writers pause until
 * the logs are empty, and what needs quiet is measured: a tick that finds nothing, sizes, how many
 * pages certain look-ups touch. The middle third of the slots has the snapshot. In the end the counts
 * are compared with recounts.
 */

export interface LogHealthOptions {
  /** Minutes of writing. */
  minutes: number;
  /** Votes a second; null writes as fast as the machine gives. */
  rate: number | null;
  /** Connections that vote in the hot conversation. */
  clients: number;
  /**
   * What is held open in the middle third: a repeatable read snapshot that only reads, one of a
   * transaction that has also written, or nothing.
   */
  hold: Hold;
  /** A login that may create databases; null starts an embedded Postgres of the benchmark's own. */
  databaseUrl: string | null;
  /** Told what happens next. */
  onProgress?: (message: string) => void;
}

export const HOLDS = ['snapshot', 'writer', 'nothing'] as const;
export type Hold = (typeof HOLDS)[number];

export const PHASES = ['before', 'held', 'after'] as const;
export type Phase = (typeof PHASES)[number];

export interface Times {
  p50: number;
  p95: number;
  p99: number;
}

/** All times in milliseconds. */
export interface Slot {
  phase: Phase;
  /** Since the first slot began. */
  seconds: number;
  /** 1-minute load average of the machine, everybody's. */
  load: number;
  votes: number;
  writeMs: { p50: number; p99: number };
  reads: Record<ReadName, Times>;
  drains: { count: number; rows: number; microsecondsPerRow: number } & Times;
  /** From the end of the writes until nothing was pending. */
  catchUpMs: number;
  /** Median of ticks that found nothing. */
  idleTickMs: number;
  /** Exact read of the hot conversation in the held snapshot, median; null without one. */
  heldReadMs: number | null;
  log: { heapBytes: number; indexBytes: number; deadRows: number };
  /** Pages that a look-up touches: grows with the versions that it has to pass. */
  pages: Record<LookUp, number>;
  /**
   * Processor time of the server's processes in microseconds, for each of what they did: says more
   * than a duration on a machine that does other things too. Null where it cannot be read.
   */
  processor: Record<Process, number> | null;
}

export interface LogHealthResult {
  minutes: number;
  rate: number | null;
  clients: number;
  hold: Hold;
  slotSeconds: number;
  server: { version: string; settings: Record<string, string>; embedded: boolean };
  votes: number;
  slots: Slot[];
  /** Seconds from the release until reads and idle ticks were as before; null if they were not. */
  recoveredAfter: number | null;
  checked: { conversations: number; votes: number };
}

type ReadName = 'hot' | 'hotDistinct' | 'cold' | 'plain';
/** Who: a writer for each vote, the ticker for each vote, a reader for each read. */
type Process = 'writer' | 'ticker' | ReadName;
type LookUp = 'exactHot' | 'exactCold' | 'target' | 'source' | 'generation';

const LOG = 'millrace_log.app_public__opinion_vote';
const SLOTS = 30;
const HOT = 1;
const HOT_OPINIONS = 100;
const COLD_CONVERSATIONS = 500;
const COLD_OPINIONS = 2_000;
/** Of the votes, in the cold conversations. */
const COLD_SHARE = 0.1;
const COLD_CLIENTS = 4;
const VOTES_PER_VOTER = 20;
/** Milliseconds between two reads of one kind: enough for percentiles, no load. */
const READ_INTERVAL = 40;
const VOTE = `insert into app_public.opinion_vote (opinion_id, voter_id, conversation_id, choice)
  select o.id, $2, o.conversation_id, $4::app_public.vote_choice
  from app_public.opinion o where o.id = $1::bigint and $3::bigint is not null`;
const exact = (column: string) =>
  `select app_public.conversation_${column}(c) from app_public.conversation c where c.id = $1::bigint`;
const READS: Record<ReadName, { text: string; key: () => number }> = {
  hot: { text: exact('vote_count'), key: () => HOT },
  hotDistinct: { text: exact('participant_count'), key: () => HOT },
  cold: {
    text: exact('vote_count'),
    key: () => HOT + 1 + Math.floor(Math.random() * COLD_CONVERSATIONS),
  },
  plain: {
    text: 'select c.vote_count from app_public.conversation c where c.id = $1::bigint',
    key: () => HOT,
  },
};
const LOOK_UPS: Record<LookUp, string> = {
  exactHot: exact('vote_count').replace('$1', String(HOT)),
  exactCold: exact('vote_count').replace('$1', String(HOT + 1)),
  target: `select c.vote_count from app_public.conversation c where c.id = ${HOT}`,
  source: `select s.drained_rows from millrace.source s where s.log = '${LOG}'::regclass`,
  generation: 'select g.number from millrace.generation g',
};

/**
 * Runs the benchmark; takes a little more than the minutes asked for.
 *
 * @throws Error when a statement fails, or when a count is wrong in the end.
 */
export async function benchLogHealth(options: LogHealthOptions): Promise<LogHealthResult> {
  const server = await openServer({ databaseUrl: options.databaseUrl, profile: false });
  const name = `millrace_bench_${process.pid}`;
  try {
    return await withClient(server.connectionString, async (admin) => {
      await admin.query(`create database ${name} template template0`);
      try {
        const target = new URL(server.connectionString);
        target.pathname = `/${name}`;
        const description = await describeServer(admin);
        const result = await run(target.href, options);
        return { ...result, server: { ...description, embedded: server.embedded } };
      } finally {
        await admin.query(`drop database if exists ${name} with (force)`);
      }
    });
  } finally {
    await server.stop();
  }
}

async function run(
  connectionString: string,
  { minutes, rate, clients, hold, onProgress: progress = () => undefined }: LogHealthOptions,
): Promise<Omit<LogHealthResult, 'server'>> {
  progress('making the community');
  await migrateUp(connectionString);
  const slotSeconds = (minutes * 60) / SLOTS;
  // As many voters as an hour of the fastest machine seen would need, or as asked for.
  const voters = Math.ceil((minutes * 60 * (rate ?? 15_000)) / VOTES_PER_VOTER) + 10_000;
  return await withClient(connectionString, async (client) => {
    // Of its own: who is somebody else does not see what the others' sessions are.
    const observer = new pg.Client({ connectionString });
    await observer.connect();
    await fill(client, voters);
    const hotLoad = await startLoad(
      voteLoad(connectionString, { clients, firstOpinion: 1, opinions: HOT_OPINIONS }),
    );
    const coldLoad = await startLoad(
      voteLoad(connectionString, {
        clients: COLD_CLIENTS,
        firstOpinion: HOT_OPINIONS + 1,
        opinions: COLD_OPINIONS,
      }),
    );
    const readers = await openReaders(connectionString);
    const ticker = await startTickerThread(connectionString);
    const holder = new pg.Client({ connectionString });
    await holder.connect();
    const slots: Slot[] = [];
    const began = performance.now();
    let released = 0;
    try {
      for (let number = 0; number < SLOTS; number += 1) {
        const phase = PHASES[Math.floor((3 * number) / SLOTS)] as Phase;
        if (hold !== 'nothing' && number === SLOTS / 3) await holdSnapshot(holder, hold);
        if (hold !== 'nothing' && number === (2 * SLOTS) / 3) {
          await holder.query('commit');
          released = (performance.now() - began) / 1000;
        }
        const held = hold !== 'nothing' && phase === 'held' ? holder : null;
        const slot = await measureSlot(
          { client, observer },
          { hotLoad, coldLoad, readers, held },
          { measureMs: slotSeconds * 1000, rate },
        );
        slots.push({ phase, seconds: (performance.now() - began) / 1000, ...slot });
        progress(`slot ${number + 1} of ${SLOTS} (${phase}): ${describeSlot(slot)}`);
      }
      progress('comparing the counts with recounts');
      const checked = await check(client);
      return {
        minutes,
        rate,
        clients,
        hold,
        slotSeconds,
        votes: slots.reduce((sum, { votes }) => sum + votes, 0),
        slots,
        recoveredAfter: recovery(slots, released),
        checked,
      };
    } finally {
      await holder.end();
      await observer.end();
      await ticker.stop();
      await Promise.all([hotLoad.close(), coldLoad.close(), readers.close()]);
    }
  });
}

async function fill(client: pg.Client, voters: number): Promise<void> {
  await client.query('set role app_owner');
  await client.query(
    `insert into app_public.account (display_name)
     select 'Voter ' || i from generate_series(1, $1::bigint) i`,
    [voters],
  );
  await client.query(
    `insert into app_public.conversation (owner_id, topic)
     select 1, 'Topic ' || i from generate_series(0, $1::bigint) i`,
    [COLD_CONVERSATIONS],
  );
  await client.query(
    `insert into app_public.opinion (conversation_id, author_id, content)
     select $1, i, 'Opinion ' || i from generate_series(1, $2::bigint) i`,
    [HOT, HOT_OPINIONS],
  );
  await client.query(
    `insert into app_public.opinion (conversation_id, author_id, content)
     select $1 + 1 + i % $2::bigint, i, 'Opinion ' || i from generate_series(1, $3::bigint) i`,
    [HOT, COLD_CONVERSATIONS, COLD_OPINIONS],
  );
  await client.query('select millrace.drain()');
  await client.query('reset role');
  await client.query('vacuum (freeze, analyze)');
  await client.query('set role app_owner');
}

/** Voters of a range of opinions; every connection is one person after the other. */
function voteLoad(
  connectionString: string,
  { clients, firstOpinion, opinions }: { clients: number; firstOpinion: number; opinions: number },
): LoadOptions {
  return {
    connectionString,
    name: 'bench writer',
    connections: clients,
    first: 0,
    statements: [{ name: 'vote', text: VOTE }],
    votes: {
      clients,
      conversation: String(HOT),
      firstOpinion,
      opinions,
      firstVoter: 1,
      votesPerVoter: VOTES_PER_VOTER,
    },
  };
}

const readerName = (name: ReadName) => `bench reader of ${name}`;

interface Readers {
  /** Reads until told to stop; returns the milliseconds of each read. */
  start(): { stop(): Promise<Record<ReadName, number[]>> };
  close(): Promise<void>;
}

async function openReaders(connectionString: string): Promise<Readers> {
  const wires = new Map<ReadName, Wire>();
  for (const [name, { text }] of Object.entries(READS) as [ReadName, { text: string }][]) {
    wires.set(
      name,
      await openWire(
        { connectionString, options: '-c role=app_owner', application_name: readerName(name) },
        text,
      ),
    );
  }
  return {
    start() {
      let running = true;
      const times = {} as Record<ReadName, number[]>;
      const loops = [...wires].map(async ([name, wire]) => {
        times[name] = [];
        while (running) {
          const sent = performance.now();
          const error = await new Promise<string | null>((resolve) => {
            wire.run([String(READS[name].key())], resolve);
          });
          if (error !== null) throw new Error(`reading ${name}: ${error}`);
          const ms = performance.now() - sent;
          times[name].push(ms);
          await sleep(Math.max(1, READ_INTERVAL - ms));
        }
      });
      const done = Promise.all(loops);
      // A failed read is reported by stop().
      done.catch(() => undefined);
      return {
        async stop() {
          running = false;
          await done;
          return times;
        },
      };
    },
    async close() {
      for (const wire of wires.values()) await wire.close();
    },
  };
}

async function holdSnapshot(holder: pg.Client, hold: Hold): Promise<void> {
  await holder.query('begin isolation level repeatable read');
  await holder.query(exact('vote_count'), [HOT]);
  if (hold === 'writer') await holder.query('select pg_current_xact_id()');
}

async function measureSlot(
  { client, observer }: { client: pg.Client; observer: pg.Client },
  {
    hotLoad,
    coldLoad,
    readers,
    held,
  }: { hotLoad: Load; coldLoad: Load; readers: Readers; held: pg.Client | null },
  { measureMs, rate }: { measureMs: number; rate: number | null },
): Promise<Omit<Slot, 'phase' | 'seconds'>> {
  const { rows: started } = await client.query<{ now: string }>(
    'select clock_timestamp()::text as now',
  );
  const before = await processorTimes(observer);
  const reading = readers.start();
  const [hot, cold] = await Promise.all([
    hotLoad.measure({
      warmUpMs: 0,
      measureMs,
      rate: rate === null ? null : rate * (1 - COLD_SHARE),
    }),
    coldLoad.measure({ warmUpMs: 0, measureMs, rate: (rate ?? 2_000) * COLD_SHARE }),
  ]);
  const times = await reading.stop();
  refuseFailures('the hot writers', hot);
  refuseFailures('the cold writers', cold);
  const after = await processorTimes(observer);
  const ended = performance.now();
  await drainAll(client);
  const catchUpMs = performance.now() - ended;
  const idleTickMs = median(await timeIdleTicks(client));
  const { rows: drains } = await client.query<Slot['drains']>(
    `select count(*)::integer as count, coalesce(sum(d.rows), 0)::float as rows,
       coalesce(1000 * sum(d.ms) / nullif(sum(d.rows), 0), 0)::float as "microsecondsPerRow",
       coalesce(percentile_cont(0.5) within group (order by d.ms), 0)::float as p50,
       coalesce(percentile_cont(0.95) within group (order by d.ms), 0)::float as p95,
       coalesce(percentile_cont(0.99) within group (order by d.ms), 0)::float as p99
     from (
       select r.rows, 1000 * extract(epoch from r.finished_at - r.started_at) as ms
       from millrace.run_log r where r.kind = 'drain' and r.started_at >= $1
     ) d`,
    [started[0]?.now],
  );
  const { rows: log } = await client.query<Slot['log']>(
    `select pg_relation_size($1::regclass)::float as "heapBytes",
       pg_indexes_size($1::regclass)::float as "indexBytes",
       pg_stat_get_dead_tuples($1::regclass)::float as "deadRows"`,
    [LOG],
  );
  return {
    load: loadavg()[0] ?? NaN,
    votes: hot.committed + cold.committed,
    writeMs: { p50: hot.latencies[0]?.p50 ?? NaN, p99: hot.latencies[0]?.p99 ?? NaN },
    reads: mapValues(times, percentiles),
    drains: drains[0] as Slot['drains'],
    catchUpMs,
    idleTickMs,
    heldReadMs: held === null ? null : await timeHeldReads(held),
    log: log[0] as Slot['log'],
    pages: await countPages(client),
    processor:
      before && after
        ? processorOf(before, after, {
            writer: hot.committed + cold.committed,
            ticker: hot.committed + cold.committed,
            ...mapValues(times, (ofRead) => ofRead.length),
          })
        : null,
  };
}

/** Microseconds of each process, divided by how much of it was done. */
function processorOf(
  before: ProcessorTimes,
  after: ProcessorTimes,
  done: Record<Process, number>,
): Record<Process, number> {
  const names: Record<string, Process> = {
    'bench writer': 'writer',
    'millrace ticker': 'ticker',
    ...Object.fromEntries(
      Object.keys(READS).map((name) => [readerName(name as ReadName), name as ReadName]),
    ),
  };
  const spent = mapValues(done, () => 0);
  for (const [pid, { kind, nanoseconds }] of after) {
    const name = names[kind];
    if (name === undefined) continue;
    spent[name] += nanoseconds - (before.get(pid)?.nanoseconds ?? nanoseconds);
  }
  return mapValues(spent, (nanoseconds, name) => nanoseconds / 1000 / done[name]);
}

/** Waits until the logs are empty, helping to drain them. */
async function drainAll(client: pg.Client): Promise<void> {
  for (;;) {
    const { rows } = await client.query<{ drain: { busy?: boolean; rows: number } }>(
      'select millrace.drain()',
    );
    const drain = rows[0]?.drain;
    if (drain !== undefined && drain.busy !== true && drain.rows === 0) return;
    await sleep(5);
  }
}

async function timeIdleTicks(client: pg.Client): Promise<number[]> {
  const times: number[] = [];
  while (times.length < 7) {
    const start = performance.now();
    const { rows } = await client.query<{
      tick: { busy?: boolean; waiting?: boolean; rows: number };
    }>('select millrace.tick() as tick');
    const ms = performance.now() - start;
    const tick = rows[0]?.tick;
    if (tick && !tick.busy && !tick.waiting && tick.rows === 0) times.push(ms);
    await sleep(tick?.waiting ? 50 : 2);
  }
  return times;
}

/** The exact read of the hot conversation in a snapshot that is as old as the phase. */
async function timeHeldReads(holder: pg.Client): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < 3; i += 1) {
    const start = performance.now();
    await holder.query(exact('vote_count'), [HOT]);
    times.push(performance.now() - start);
  }
  return median(times);
}

async function countPages(client: pg.Client): Promise<Record<LookUp, number>> {
  const pages = {} as Record<LookUp, number>;
  for (const [name, text] of Object.entries(LOOK_UPS) as [LookUp, string][]) {
    // The second time: the first may plan, and reads the catalog for it.
    await client.query(text);
    const { rows } = await client.query(`explain (analyze, buffers, format json) ${text}`);
    const plan = rows[0]['QUERY PLAN'][0].Plan;
    pages[name] = plan['Shared Hit Blocks'] + plan['Shared Read Blocks'];
  }
  return pages;
}

/** Compares exact reads, and after a last drain the stored values, with recounts. */
async function check(client: pg.Client): Promise<{ conversations: number; votes: number }> {
  await drainAll(client);
  const { rows } = await client.query<{ checked: string; wrong: string; votes: string }>(
    `select count(*) as checked, sum(n.truth) as votes, count(*) filter (
       where n.truth <> n.exact or n.truth <> n.stored or n.voters <> n.participants
     ) as wrong
     from (
       select c.vote_count as stored, app_public.conversation_vote_count(c) as exact,
         c.participant_count as participants, v.truth, v.voters
       from app_public.conversation c
       cross join lateral (
         select count(*) as truth, count(distinct v.voter_id) as voters
         from app_public.opinion_vote v where v.conversation_id = c.id
       ) v
       where c.id <= $1
     ) n`,
    [HOT + 20],
  );
  const { checked, wrong, votes } = rows[0] as { checked: string; wrong: string; votes: string };
  if (wrong !== '0') throw new Error(`${wrong} of ${checked} conversations are counted wrong`);
  return { conversations: Number(checked), votes: Number(votes) };
}

/** When reads and idle ticks were back at twice their worst before, in seconds after the release. */
function recovery(slots: readonly Slot[], released: number): number | null {
  const before = slots.filter(({ phase }) => phase === 'before');
  const most = (of: (slot: Slot) => number) => 2 * Math.max(...before.map(of));
  const readLimit = most(({ reads }) => reads.hot.p50);
  const tickLimit = most(({ idleTickMs }) => idleTickMs);
  const pageLimit = most(({ pages }) => pages.exactHot);
  const slot = slots.find(
    ({ phase, reads, idleTickMs, pages }) =>
      phase === 'after' &&
      reads.hot.p50 <= readLimit &&
      idleTickMs <= tickLimit &&
      pages.exactHot <= pageLimit,
  );
  return slot === undefined || released === 0 ? null : slot.seconds - released;
}

function percentiles(values: readonly number[]): Times {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? NaN;
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}

function mapValues<K extends string, A, B>(
  values: Record<K, A>,
  change: (value: A, key: K) => B,
): Record<K, B> {
  return Object.fromEntries(
    Object.entries(values).map(([key, value]) => [key, change(value as A, key as K)]),
  ) as Record<K, B>;
}

function describeSlot(slot: Omit<Slot, 'phase' | 'seconds'>): string {
  return (
    `${format(slot.votes)} votes, log ${megabytes(slot.log.heapBytes)} MB, ` +
    `exact ${slot.reads.hot.p50.toFixed(1)} ms, drain ${slot.drains.p50.toFixed(1)} ms, ` +
    `idle tick ${slot.idleTickMs.toFixed(1)} ms`
  );
}

/** The result as programs read it. */
export function logHealthJson(result: LogHealthResult): Record<string, unknown> {
  return { ...result, phases: Object.fromEntries(PHASES.map((p) => [p, phaseOf(result, p)])) };
}

interface Measure {
  name: string;
  of: (slot: Slot) => number;
  /** How a phase is summed up: the median of its slots, or the worst. */
  worst?: boolean;
  digits: number;
}

const MEASURES: Measure[] = [
  { name: 'votes a second', of: (s) => s.votes, digits: 0 },
  { name: 'vote, p50 ms', of: (s) => s.writeMs.p50, digits: 1 },
  { name: 'vote, p99 ms', of: (s) => s.writeMs.p99, digits: 1 },
  { name: 'log, heap MB', of: (s) => s.log.heapBytes / 2 ** 20, worst: true, digits: 1 },
  { name: 'log, indexes MB', of: (s) => s.log.indexBytes / 2 ** 20, worst: true, digits: 1 },
  { name: 'log, dead rows', of: (s) => s.log.deadRows, worst: true, digits: 0 },
  { name: 'drain, p50 ms', of: (s) => s.drains.p50, digits: 1 },
  { name: 'drain, p95 ms', of: (s) => s.drains.p95, digits: 1 },
  { name: 'drain, worst slot p95 ms', of: (s) => s.drains.p95, worst: true, digits: 1 },
  { name: 'drain, µs a row', of: (s) => s.drains.microsecondsPerRow, digits: 1 },
  { name: 'idle tick ms', of: (s) => s.idleTickMs, digits: 2 },
  { name: 'idle tick, worst slot ms', of: (s) => s.idleTickMs, worst: true, digits: 2 },
  { name: 'exact hot, p50 ms', of: (s) => s.reads.hot.p50, digits: 2 },
  { name: 'exact hot, p95 ms', of: (s) => s.reads.hot.p95, digits: 2 },
  { name: 'exact hot, p99 ms', of: (s) => s.reads.hot.p99, digits: 2 },
  { name: 'exact hot, worst slot p50 ms', of: (s) => s.reads.hot.p50, worst: true, digits: 2 },
  { name: 'exact hot, worst slot p95 ms', of: (s) => s.reads.hot.p95, worst: true, digits: 2 },
  { name: 'exact distinct hot, p50 ms', of: (s) => s.reads.hotDistinct.p50, digits: 2 },
  { name: 'exact distinct hot, p95 ms', of: (s) => s.reads.hotDistinct.p95, digits: 2 },
  { name: 'exact cold, p50 ms', of: (s) => s.reads.cold.p50, digits: 2 },
  { name: 'exact cold, p95 ms', of: (s) => s.reads.cold.p95, digits: 2 },
  { name: 'plain hot, p50 ms', of: (s) => s.reads.plain.p50, digits: 2 },
  { name: 'plain hot, p95 ms', of: (s) => s.reads.plain.p95, digits: 2 },
  { name: 'exact in held snapshot ms', of: (s) => s.heldReadMs ?? NaN, worst: true, digits: 2 },
  { name: 'pages: exact hot', of: (s) => s.pages.exactHot, worst: true, digits: 0 },
  { name: 'pages: exact cold', of: (s) => s.pages.exactCold, worst: true, digits: 0 },
  { name: 'pages: target row', of: (s) => s.pages.target, worst: true, digits: 0 },
  { name: 'pages: millrace.source', of: (s) => s.pages.source, worst: true, digits: 0 },
  { name: 'pages: millrace.generation', of: (s) => s.pages.generation, worst: true, digits: 0 },
  { name: 'processor µs: vote', of: (s) => s.processor?.writer ?? NaN, digits: 0 },
  {
    name: 'processor µs: vote, worst slot',
    of: (s) => s.processor?.writer ?? NaN,
    worst: true,
    digits: 0,
  },
  { name: 'processor µs: ticker, a vote', of: (s) => s.processor?.ticker ?? NaN, digits: 0 },
  { name: 'processor µs: exact hot', of: (s) => s.processor?.hot ?? NaN, digits: 0 },
  {
    name: 'processor µs: exact hot, worst slot',
    of: (s) => s.processor?.hot ?? NaN,
    worst: true,
    digits: 0,
  },
  {
    name: 'processor µs: exact distinct hot',
    of: (s) => s.processor?.hotDistinct ?? NaN,
    digits: 0,
  },
  { name: 'processor µs: exact cold', of: (s) => s.processor?.cold ?? NaN, digits: 0 },
  { name: 'processor µs: plain hot', of: (s) => s.processor?.plain ?? NaN, digits: 0 },
  { name: 'load of the machine', of: (s) => s.load, digits: 1 },
];

function phaseOf({ slots, slotSeconds }: LogHealthResult, phase: Phase): Record<string, number> {
  const of = slots.filter((slot) => slot.phase === phase);
  return Object.fromEntries(
    MEASURES.map((measure) => {
      const values = of.map(measure.of).filter((value) => !Number.isNaN(value));
      const value = measure.worst ? Math.max(...values) : median(values);
      const scaled = measure.name === 'votes a second' ? value / slotSeconds : value;
      return [measure.name, Number.isFinite(scaled) ? Number(scaled.toFixed(3)) : NaN];
    }),
  );
}

/** The result for people: a table of the three phases, and each measure over time. */
export function logHealthReport(result: LogHealthResult): string {
  const phases = PHASES.map((phase) => phaseOf(result, phase));
  const { server, slots } = result;
  const settings = Object.entries(server.settings).map(([name, value]) => `${name}=${value}`);
  const width = Math.max(...MEASURES.map(({ name }) => name.length));
  return [
    `log-health: ${format(result.votes)} votes in ${result.minutes} minutes` +
      `${result.rate === null ? '' : `, ${format(result.rate)} a second asked for`}, ` +
      `90 % of them in one conversation; ${describeHold(result.hold)}`,
    `machine  ${cpus().length} × ${cpus()[0]?.model.trim()}; clients and server share it`,
    `server   Postgres ${server.version}${server.embedded ? ' (embedded)' : ''}: ${settings.join(', ')}`,
    '',
    `${''.padEnd(width)}  ${PHASES.map((phase) => phase.padStart(10)).join('')}  over time, 0 to the highest`,
    ...MEASURES.map((measure) => {
      const values = phases.map((phase) => {
        const value = phase[measure.name] ?? NaN;
        return (Number.isNaN(value) ? '–' : format(value, measure.digits)).padStart(10);
      });
      return `${measure.name.padEnd(width)}  ${values.join('')}  ${sparkline(slots.map(measure.of))}`;
    }),
    '',
    result.hold === 'nothing'
      ? 'nothing was held'
      : result.recoveredAfter === null
        ? 'exact reads and idle ticks were not as before when the run ended'
        : `exact reads and idle ticks were as before ${result.recoveredAfter.toFixed(0)} s after the release`,
    `checked: ${result.checked.conversations} conversations with ${format(result.checked.votes)} votes, ` +
      'stored and exact counts equal their recounts',
    '',
  ].join('\n');
}

function describeHold(hold: Hold): string {
  return {
    snapshot: 'a repeatable read snapshot held open in the middle third',
    writer: 'a repeatable read transaction that has written held open in the middle third',
    nothing: 'no snapshot held',
  }[hold];
}

/** Values over time as a line of blocks, from 0 to the highest; a gap where there is none. */
function sparkline(values: readonly number[]): string {
  const most = Math.max(...values.filter((value) => !Number.isNaN(value)));
  return values
    .map((value) => {
      if (Number.isNaN(value)) return ' ';
      return '▁▂▃▄▅▆▇█'[Math.min(7, Math.floor((8 * value) / (most || 1)))];
    })
    .join('');
}

function megabytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1);
}

function format(value: number, digits = 0): string {
  return value.toLocaleString('en-US', {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}
