import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import pg from 'pg';
import { log } from '../lib/log.ts';
import { migrateUp } from '../lib/migrations.ts';
import { startEmbeddedPostgres } from '../lib/postgres.ts';
import type { LoadCommand, LoadOptions, LoadResult, LoadStatement } from './load-types.ts';
import { profileRun, type RunProfile } from './profile.ts';
import { CLAIMS, DEFINITIONS, RECOUNT, VARIANTS, type Variant } from './variants.ts';

/*
 * What counting costs when everybody votes in one conversation.
 *
 * Every run has a copy of its own of one template database (the community schema, 200,000 accounts,
 * one conversation with 100 opinions), so that each begins alike; the variants take turns, several
 * rounds, so that what else the machine does hits all of them; medians are reported. After every run
 * the count that the variant claims is compared with a recount: a fast wrong count is no result.
 */

export interface HotKeyOptions {
  clients: number;
  /** Seconds measured in each run. */
  seconds: number;
  rounds: number;
  /** A login that may create databases; null starts an embedded Postgres of the benchmark's own. */
  databaseUrl: string | null;
  profile: boolean;
  /** Told what happens next. */
  onProgress?: (message: string) => void;
}

export interface Percentiles {
  p50: number;
  p99: number;
}

export interface ReadTimes {
  /** Exact read of conversation.vote_count. */
  exact: Percentiles;
  /** Exact read of conversation.participant_count, the distinct one. */
  distinct: Percentiles;
  /** The same row by primary key. */
  plain: Percentiles;
}

export interface HotKeyResult {
  clients: number;
  seconds: number;
  rounds: number;
  server: { version: string; settings: Record<string, string>; embedded: boolean };
  /** Transactions per second of each round. */
  tps: Record<Variant, number[]>;
  /** Milliseconds of an insert, of each round. */
  writeMs: Record<Variant, Percentiles[]>;
  /** Milliseconds, at half of the bare throughput. */
  readMs: ReadTimes;
  /** Milliseconds, with all writers at full speed. */
  readMsSaturated: ReadTimes;
  /** Milliseconds of a recount, and the votes it counted. */
  recount: { ms: number; votes: number };
  profiles: Partial<Record<Variant, RunProfile>>;
}

const VOTERS = 200_000;
const PRELOADED_VOTERS = 5_000;
const OPINIONS = 100;
/** About the mean of the Polis conversations in the open data set. */
const VOTES_PER_VOTER = 20;
const CONVERSATION = '1';
const WARM_UP_MS = 1_500;
/** Reads a second of each kind: enough for a 99th percentile, too few to be a load. */
const READ_RATE = 200;
const READERS = 4;

/**
 * Runs the benchmark; takes about rounds × 6 × (seconds + 3) + 2 × (seconds + 5) seconds.
 *
 * @throws Error when a write fails or a variant counts wrong.
 */
export async function benchHotKey(options: HotKeyOptions): Promise<HotKeyResult> {
  const server = await openServer(options);
  const admin = new pg.Client({ connectionString: server.connectionString });
  await admin.connect();
  const names: string[] = [];
  const url = (database: string) => {
    const target = new URL(server.connectionString);
    target.pathname = `/${database}`;
    return target.href;
  };
  const prefix = `millrace_bench_${process.pid}`;
  const progress = options.onProgress ?? (() => undefined);

  async function makeDatabase(name: string, template: string): Promise<string> {
    names.push(name);
    await admin.query(`create database ${name} template ${template} strategy file_copy`);
    return url(name);
  }
  async function dropDatabase(name: string): Promise<void> {
    await admin.query(`drop database if exists ${name} with (force)`);
  }

  try {
    progress('making the template');
    const template = `${prefix}_template`;
    await makeDatabase(template, 'template0');
    await migrateUp(url(template));
    await withClient(url(template), fillTemplate);
    for (const variant of VARIANTS) {
      const connectionString = await makeDatabase(templateOf(variant), template);
      await withClient(connectionString, (client) => setUp(client, variant));
    }

    const perVariant = <T>() =>
      Object.fromEntries(VARIANTS.map((variant) => [variant, [] as T[]])) as Record<Variant, T[]>;
    const tps = perVariant<number>();
    const writeMs = perVariant<Percentiles>();
    const profiles: Partial<Record<Variant, RunProfile>> = {};
    for (let round = 1; round <= options.rounds; round += 1) {
      // Forwards and backwards in turn: nobody is always the one after the same other.
      for (const variant of round % 2 === 1 ? VARIANTS : VARIANTS.toReversed()) {
        progress(`round ${round} of ${options.rounds}: ${variant}`);
        const run = await inCopy(variant, (connectionString) =>
          throughput(connectionString, variant, options),
        );
        tps[variant].push(run.tps);
        writeMs[variant].push(run.writeMs);
        if (run.profile) profiles[variant] = run.profile;
      }
    }

    const half = median(tps.bare) / 2;
    progress(`reads at half load, ${Math.round(half)} votes a second`);
    const { reads: readMs, recount } = await inCopy('allCounters', (connectionString) =>
      readTimes(connectionString, options, half),
    );
    progress('reads at full load');
    const { reads: readMsSaturated } = await inCopy('allCounters', (connectionString) =>
      readTimes(connectionString, options, null),
    );
    return {
      clients: options.clients,
      seconds: options.seconds,
      rounds: options.rounds,
      server: { ...(await describeServer(admin)), embedded: server.embedded },
      tps,
      writeMs,
      readMs,
      readMsSaturated,
      recount,
      profiles,
    };
  } finally {
    for (const name of names) await dropDatabase(name);
    await admin.end();
    await server.stop();
  }

  function templateOf(variant: Variant): string {
    return `${prefix}_${variant.toLowerCase()}`;
  }

  async function inCopy<T>(
    variant: Variant,
    work: (connectionString: string) => Promise<T>,
  ): Promise<T> {
    const name = `${prefix}_run`;
    const connectionString = await makeDatabase(name, templateOf(variant));
    try {
      // The last run's dirty pages are not this one's to write.
      await admin.query('checkpoint');
      return await work(connectionString);
    } finally {
      await dropDatabase(name);
      names.splice(names.indexOf(name), 1);
    }
  }
}

/** The middle value, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle - 1)] ?? NaN) + (sorted[Math.floor(middle)] ?? NaN)) / 2;
}

export async function openServer({
  databaseUrl,
  profile,
}: Pick<HotKeyOptions, 'databaseUrl' | 'profile'>) {
  if (databaseUrl !== null) {
    return { connectionString: databaseUrl, embedded: false, stop: () => Promise.resolve() };
  }
  const folder = join(tmpdir(), `millrace-bench-${process.pid}`);
  const server = await startEmbeddedPostgres({
    dataDir: folder,
    port: 0,
    database: 'postgres',
    settings: {
      max_connections: '300',
      shared_buffers: '512MB',
      // No checkpoint in the middle of a run: it would hit one variant only.
      max_wal_size: '8GB',
      checkpoint_timeout: '30min',
      ...(profile && { shared_preload_libraries: 'pg_stat_statements' }),
    },
  });
  return {
    connectionString: server.connectionString,
    embedded: true,
    async stop() {
      await server.stop();
      for (const suffix of ['', '.log', '.password']) {
        await rm(`${folder}${suffix}`, { recursive: true, force: true });
      }
    },
  };
}

export async function withClient<T>(
  connectionString: string,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

async function fillTemplate(client: pg.Client): Promise<void> {
  await client.query('set role app_owner');
  await client.query(
    `insert into app_public.account (display_name)
     select 'Voter ' || i from generate_series(1, $1::bigint) i`,
    [VOTERS],
  );
  await client.query(
    "insert into app_public.conversation (owner_id, topic) values (1, 'Is this hot?')",
  );
  await client.query(
    `insert into app_public.opinion (conversation_id, author_id, content)
     select 1, i, 'Opinion ' || i from generate_series(1, $1::bigint) i`,
    [OPINIONS],
  );
  await client.query('reset role');
  await client.query('vacuum (freeze, analyze)');
}

async function setUp(client: pg.Client, variant: Variant): Promise<void> {
  const { setUp: sql } = DEFINITIONS[variant];
  // The rights on a database are not copied with it.
  await client.query(
    `do $$ begin execute format('grant create on database %I to app_owner', current_database()); end $$`,
  );
  await client.query('set role app_owner');
  // Derived relations stay: none reads votes.
  const { rows } = await client.query<{ name: string }>(
    `select d.name from millrace.derivation d
     where d.kind = 'react' or d.kind = 'counter' and $1 and exists (
       select from millrace.reading r
       where r.name = d.name and r.relation = 'app_public.opinion_vote'::regclass
     )
     order by d.id desc`,
    [sql !== null],
  );
  for (const { name } of rows) await client.query('select millrace.drop($1)', [name]);
  const { rowCount } = await client.query(
    `select from millrace.reading r
     where r.relation = 'app_public.opinion_vote'::regclass and (r.kind <> 'counter' or $1)`,
    [sql !== null],
  );
  if (rowCount !== 0) throw new Error('Votes are read by more than their counters');
  if (sql !== null && sql !== '') await client.query(sql);
  if (sql === null) await client.query('select millrace.drain()');
}

async function throughput(
  connectionString: string,
  variant: Variant,
  { clients, seconds, profile }: HotKeyOptions,
): Promise<{ tps: number; writeMs: Percentiles; profile: RunProfile | null }> {
  return await withClient(connectionString, async (observer) => {
    const writers = await startLoad(writerOptions(connectionString, clients, 1));
    const ticker = DEFINITIONS[variant].ticker ? await startTickerThread(connectionString) : null;
    const window = { warmUpMs: WARM_UP_MS, measureMs: seconds * 1000, rate: null };
    const measured = writers.measure(window);
    const profiled = profile ? profileRun(observer, window) : null;
    const result = await measured;
    const description = (await profiled)?.(result.committed) ?? null;
    await check(observer, variant);
    await ticker?.stop();
    await writers.close();
    refuseFailures(variant, result);
    const { p50, p99 } = result.latencies[0]!;
    return {
      tps: result.committed / seconds,
      writeMs: { p50, p99 },
      profile: description,
    };
  });
}

/** Compares what the variant counted with a recount in the same snapshot. */
async function check(client: pg.Client, variant: Variant): Promise<void> {
  const claim = CLAIMS[variant];
  if (claim === null) return;
  const { rows } = await client.query<{ claimed: string; truth: string }>(
    `select (${claim}) as claimed, (${RECOUNT}) as truth`,
    [CONVERSATION],
  );
  const { claimed, truth } = rows[0] as { claimed: string; truth: string };
  if (claimed !== truth) {
    throw new Error(`${variant} counted ${claimed} votes where there are ${truth}`);
  }
}

async function readTimes(
  connectionString: string,
  { clients, seconds }: HotKeyOptions,
  rate: number | null,
): Promise<{ reads: ReadTimes; recount: { ms: number; votes: number } }> {
  return await withClient(connectionString, async (client) => {
    await client.query('set role app_owner');
    await preload(client);
    await client.query('checkpoint').catch((error: pg.DatabaseError) => {
      // A checkpoint is a privilege; without it the first seconds are noisier.
      if (error.code !== '42501') throw error;
    });
    const writers = await startLoad(writerOptions(connectionString, clients, 1));
    const readers = await startLoad({
      connectionString,
      name: 'bench reader',
      connections: READERS,
      first: 0,
      votes: null,
      statements: readStatements(),
    });
    const ticker = await startTickerThread(connectionString);
    // Recounts first, at 100,000 votes; they are no load to measure the other reads under.
    const recountMs = 2_000;
    const measureMs = seconds * 1000;
    const written = writers.measure({
      warmUpMs: 0,
      measureMs: recountMs + WARM_UP_MS + measureMs,
      rate,
    });
    const recount = await timeRecounts(client, recountMs);
    const read = await readers.measure({
      warmUpMs: WARM_UP_MS,
      measureMs,
      rate: READ_RATE * readStatements().length,
    });
    const result = await written;
    await check(client, 'allCounters');
    await ticker.stop();
    await Promise.all([writers.close(), readers.close()]);
    refuseFailures('allCounters', result);
    refuseFailures('the readers', read);
    const times = Object.fromEntries(
      read.latencies.map(({ name, p50, p99 }) => [name, { p50, p99 }]),
    ) as unknown as ReadTimes;
    return { reads: times, recount };
  });
}

/** 100,000 votes of voters that the writers leave alone, counted before anything is measured. */
async function preload(client: pg.Client): Promise<void> {
  await client.query(
    `insert into app_public.opinion_vote (opinion_id, voter_id, conversation_id, choice)
     select (v + i) % $1 + 1, $2 - v, $3::bigint,
       (array['agree', 'disagree', 'pass'])[i % 3 + 1]::app_public.vote_choice
     from generate_series(0, $4::bigint - 1) v, generate_series(1, $5::bigint) i`,
    [OPINIONS, VOTERS, CONVERSATION, PRELOADED_VOTERS, VOTES_PER_VOTER],
  );
  for (;;) {
    const { rows } = await client.query<{ drain: { rows: number } }>('select millrace.drain()');
    if (rows[0]?.drain.rows === 0) break;
  }
  await client.query('reset role');
  await client.query('vacuum (analyze) app_public.opinion_vote');
  await client.query('set role app_owner');
}

async function timeRecounts(
  client: pg.Client,
  forMs: number,
): Promise<{ ms: number; votes: number }> {
  const times: number[] = [];
  let votes = 0;
  const until = performance.now() + forMs;
  while (performance.now() < until) {
    const start = performance.now();
    const { rows } = await client.query<{ count: string }>({
      name: 'recount',
      text: RECOUNT,
      values: [CONVERSATION],
    });
    times.push(performance.now() - start);
    votes = Number(rows[0]?.count);
  }
  return { ms: median(times), votes };
}

function readStatements(): LoadStatement[] {
  const from = 'from app_public.conversation c where c.id = $1';
  const values = [CONVERSATION];
  return [
    { name: 'exact', text: `select app_public.conversation_vote_count(c) ${from}`, values },
    { name: 'plain', text: `select c.vote_count ${from}`, values },
    {
      name: 'distinct',
      text: `select app_public.conversation_participant_count(c) ${from}`,
      values,
    },
  ];
}

function writerOptions(connectionString: string, clients: number, firstVoter: number): LoadOptions {
  return {
    connectionString,
    name: 'bench writer',
    connections: clients,
    first: 0,
    statements: [
      {
        name: 'vote',
        text: `insert into app_public.opinion_vote (opinion_id, voter_id, conversation_id, choice)
          values ($1, $2, $3, $4)`,
      },
    ],
    votes: {
      clients,
      conversation: CONVERSATION,
      firstOpinion: 1,
      opinions: OPINIONS,
      firstVoter,
      votesPerVoter: VOTES_PER_VOTER,
    },
  };
}

export interface Load {
  measure(command: Exclude<LoadCommand, 'close'>): Promise<LoadResult>;
  close(): Promise<void>;
}

export async function startLoad(options: LoadOptions): Promise<Load> {
  const worker = new Worker(new URL('./load.ts', import.meta.url), { workerData: options });
  const ask = <T>(command: LoadCommand | null) => {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    worker.once('error', reject);
    worker.once('message', (message: T) => {
      worker.off('error', reject);
      resolve(message);
    });
    if (command !== null) worker.postMessage(command);
    return promise;
  };
  await ask<'ready'>(null);
  return {
    measure: (command) => ask<LoadResult>(command),
    async close() {
      const exit = new Promise((resolve) => worker.once('exit', resolve));
      worker.postMessage('close');
      await exit;
    },
  };
}

/** The host's ticker, in a thread of its own as in production it has a process of its own. */
export async function startTickerThread(
  connectionString: string,
): Promise<{ stop(): Promise<void> }> {
  const worker = new Worker(new URL('./ticker.ts', import.meta.url), {
    workerData: { connectionString },
  });
  worker.on('error', (error) => log.error({ err: error }, 'the ticker failed'));
  return {
    async stop() {
      const exit = new Promise((resolve) => worker.once('exit', resolve));
      worker.postMessage('stop');
      await exit;
    },
  };
}

export function refuseFailures(what: string, { failed, firstError }: LoadResult): void {
  if (failed > 0) throw new Error(`${failed} statements of ${what} failed: ${firstError}`);
}

export async function describeServer(client: pg.Client) {
  const names = [
    'server_version',
    'shared_buffers',
    'fsync',
    'synchronous_commit',
    'full_page_writes',
    'wal_sync_method',
  ];
  const { rows } = await client.query<{ name: string; setting: string }>(
    'select name, current_setting(name) as setting from pg_settings where name = any ($1)',
    [names],
  );
  const settings = Object.fromEntries(rows.map(({ name, setting }) => [name, setting]));
  const { server_version: version = '', ...others } = settings;
  return { version, settings: others };
}
