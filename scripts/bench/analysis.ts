import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cpus, loadavg, platform, release, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import type pg from 'pg';
import { startAnalysisLane } from '../lib/analysis-lane.ts';
import { ROOT } from '../lib/config.ts';
import { migrateUp } from '../lib/migrations.ts';
import { importPolis } from '../lib/polis-import.ts';
import { startTicker } from '../lib/ticker.ts';
import { startWorker } from '../lib/worker.ts';
import { type ConversationSize, LARGE, makeConversation } from './analysis-data.ts';
import type { ProcessResult } from './analysis-process.ts';
import {
  describeServer,
  median,
  openServer,
  refuseFailures,
  startLoad,
  startTickerThread,
  withClient,
} from './hot-key.ts';

/*
 * What an analysis takes: its mathematics warm and cold with their memory, in a process of its own;
 * from claim to commit; from a vote to the published result, with ticker, worker and queue as in
 * production; and what it costs those who vote meanwhile.
 */

export interface AnalysisOptions {
  /** Warm runs of each conversation; medians are reported. */
  runs: number;
  /** Connections that vote while the conversation is analysed; 0 leaves that out. */
  voters: number;
  /** Measured seconds with and without analyses. */
  seconds: number;
  databaseUrl: string | null;
  onProgress?: (message: string) => void;
}

export interface InputResult extends ProcessResult {
  input: string;
  votes: number;
  participants: number;
  opinions: number;
  /** Milliseconds from the commit of a vote to the published result that has it. */
  voteToPublishedMs: number[];
}

export interface VotersResult {
  voters: number;
  seconds: number;
  /** Votes a second, without and with analyses of the conversation, of each round. */
  tpsWithout: number[];
  tpsWith: number[];
  /** Analyses published while the second was measured, and the votes of the last. */
  analyses: number;
  votesAnalysed: number;
  /** How often waiting voters were looked for, and how often one waited for the analysis. */
  samples: number;
  waitedForAnalysis: number;
}

export interface AnalysisBenchResult {
  server: { version: string; settings: Record<string, string>; embedded: boolean };
  runs: number;
  inputs: InputResult[];
  voters: VotersResult | null;
}

const DATA = resolve(ROOT, process.env.MILLRACE_POLIS_DATA || '../shared/data/polis');
const REAL = ['15-per-hour-seattle', 'scoop-hivemind.taxes', 'vtaiwan.uberx'];
/** Votes on the way to a result that are timed, per conversation. */
const TIMED_VOTES = 2;
const ROUNDS = 2;
/** What voters vote in: opinions, and voters that each cast so many votes. */
const HOT = { opinions: 100, accounts: 60_000, votesPerVoter: 20 };
const WARM_UP_MS = 3_000;

/**
 * Runs the benchmark: about two minutes, and with voters four times `seconds` more.
 *
 * @throws Error when a result is not published, or a vote fails.
 */
export async function benchAnalysis(options: AnalysisOptions): Promise<AnalysisBenchResult> {
  const server = await openServer({ databaseUrl: options.databaseUrl, profile: false });
  const progress = options.onProgress ?? (() => undefined);
  const prefix = `millrace_bench_${process.pid}`;
  const url = (database: string) => {
    const target = new URL(server.connectionString);
    target.pathname = `/${database}`;
    return target.href;
  };
  try {
    return await withClient(server.connectionString, async (admin) => {
      const inDatabase = async <T>(name: string, work: (connection: string) => Promise<T>) => {
        await admin.query(`create database ${name} template template0`);
        try {
          progress('migrating');
          await migrateUp(url(name));
          return await work(url(name));
        } finally {
          await admin.query(`drop database ${name} with (force)`);
        }
      };
      const inputs = await inDatabase(prefix, (connection) =>
        measureInputs(connection, options, progress),
      );
      const voters =
        options.voters === 0 ? null : await measureVoters(inDatabase, prefix, options, progress);
      return {
        server: { ...(await describeServer(admin)), embedded: server.embedded },
        runs: options.runs,
        inputs,
        voters,
      };
    });
  } finally {
    await server.stop();
  }
}

async function measureInputs(
  connectionString: string,
  { runs }: AnalysisOptions,
  progress: (message: string) => void,
): Promise<InputResult[]> {
  const conversations: { input: string; id: number }[] = [];
  if (existsSync(DATA)) {
    for (const name of REAL) {
      progress(`importing ${name}`);
      const { conversationId } = await importPolis(connectionString, join(DATA, name));
      conversations.push({ input: name, id: conversationId });
    }
  } else {
    progress(`no real conversations: there is no ${DATA}`);
  }
  progress('making the large conversation');
  const size = `${LARGE.participants}x${LARGE.statements}x${LARGE.votes}`;
  conversations.push({
    input: size,
    id: await withOwner(connectionString, (client) => load(client, LARGE)),
  });
  // Statistics first: without any, so large a drain is planned as for a handful of rows.
  await withClient(connectionString, (client) => client.query('vacuum (analyze)'));
  await withOwner(connectionString, drain);

  const results: InputResult[] = [];
  for (const { input, id } of conversations) {
    progress(`analysing ${input}`);
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [
        fileURLToPath(new URL('./analysis-process.ts', import.meta.url)),
        connectionString,
        String(id),
        String(runs),
      ],
      { maxBuffer: 2 ** 24 },
    );
    const { rows } = await withOwner(connectionString, (client) =>
      client.query<{ votes: number; participants: number; opinions: number }>(
        `select vote_count as votes, participant_count as participants, opinion_count as opinions
        from app_public.analysis_run where conversation_id = $1 and is_published`,
        [id],
      ),
    );
    const counts = rows[0] as (typeof rows)[0];
    results.push({ input, ...counts, ...JSON.parse(stdout), voteToPublishedMs: [] });
  }

  progress('votes, and their way to the published result');
  const lane = await startAnalysisLane({ connectionString, keep: 2 });
  const worker = await startWorker({ connectionString });
  const ticker = startTicker({ connectionString });
  try {
    for (const [at, { id }] of conversations.entries()) {
      for (let round = 0; round < TIMED_VOTES; round += 1) {
        const ms = await withOwner(connectionString, (client) => voteToPublished(client, id));
        results[at]?.voteToPublishedMs.push(ms);
      }
    }
  } finally {
    await ticker.stop();
    await worker.stop();
    await lane.stop();
  }
  return results;
}

async function withOwner<T>(
  connectionString: string,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  return await withClient(connectionString, async (client) => {
    await client.query('set role app_owner');
    return await work(client);
  });
}

/** Puts a made-up conversation into the database and returns its id. */
async function load(client: pg.Client, size: ConversationSize): Promise<number> {
  const { events, moderated = [] } = makeConversation(size);
  const { rows } = await client.query<{ id: string }>(
    `with account as (
      insert into app_public.account (id, display_name) overriding system value
        select 1000000 + i, 'Participant ' || i from generate_series(0, $1::int - 1) i returning id
    )
    insert into app_public.conversation (owner_id, topic)
      select min(id), 'A large conversation' from account returning id`,
    [size.participants],
  );
  const id = rows[0]?.id as string;
  await client.query(
    `insert into app_public.opinion (id, conversation_id, author_id, content, moderation)
      overriding system value
      select 10000000 + i, $1, 1000000,
        (array['Bus lanes', 'Night trains', 'Wide pavements', 'Free parking'])[i % 4 + 1]
          || ' in quarter ' || i,
        case when i = any ($3::int[]) then 'moved'::app_public.moderation_action end
      from generate_series(1, $2::int) i`,
    [id, size.statements, [...moderated]],
  );
  await client.query(
    `insert into app_public.opinion_vote (opinion_id, voter_id, conversation_id, choice)
      select 10000000 + o, v, $1,
        case c when 1 then 'agree' when -1 then 'disagree' else 'pass' end::app_public.vote_choice
      from unnest($2::int[], $3::int[], $4::int[]) u (o, v, c)`,
    [id, [...events.statements], [...events.participants], [...events.values]],
  );
  return Number(id);
}

async function drain(client: pg.Client): Promise<void> {
  for (;;) {
    const { rows } = await client.query<{ drain: { rows: number } }>('select millrace.drain()');
    if (rows[0]?.drain.rows === 0) return;
  }
}

/** Changes one vote and waits for the result that has it. */
async function voteToPublished(client: pg.Client, conversationId: number): Promise<number> {
  // What the last vote asked for has to be over, or this one would be lucky.
  await idle(client, conversationId);
  await client.query(
    `update app_public.opinion_vote v
      set choice = case choice when 'agree' then 'disagree' else 'agree' end::app_public.vote_choice,
        cast_at = clock_timestamp()
      where (opinion_id, voter_id) = (
        select opinion_id, voter_id from app_public.opinion_vote
        where conversation_id = $1 and cancelled_at is null limit 1
      )`,
    [conversationId],
  );
  const started = performance.now();
  const { rows } = await client.query<{ now: string }>('select clock_timestamp()::text as now');
  for (;;) {
    const { rowCount } = await client.query(
      `select from app_public.analysis_run
      where conversation_id = $1 and is_published and read_at >= $2`,
      [conversationId, rows[0]?.now],
    );
    if (rowCount === 1) return performance.now() - started;
    if (performance.now() - started > 120_000) throw new Error('no result within two minutes');
    await sleep(10);
  }
}

async function idle(client: pg.Client, conversationId: number): Promise<void> {
  for (let quiet = 0; quiet < 5; ) {
    const { rows } = await client.query<{ busy: boolean }>(
      `select exists (
          select from millrace.run r join millrace.derivation d on d.id = r.derivation
          where d.kind = 'react' and r.key = jsonb_build_array($1::bigint)
            and (r.job_id is not null or r.queued_at + d.min_interval > clock_timestamp())
        ) or exists (
          select from pgboss.job where singleton_key = $1::bigint::text and state < 'completed'
        ) as busy`,
      [conversationId],
    );
    quiet = rows[0]?.busy ? 0 : quiet + 1;
    await sleep(100);
  }
}

type InDatabase = <T>(name: string, work: (connection: string) => Promise<T>) => Promise<T>;

/** Votes a second with everything declared, without the analyses and with them, in turn. */
async function measureVoters(
  inDatabase: InDatabase,
  prefix: string,
  { voters, seconds }: AnalysisOptions,
  progress: (message: string) => void,
): Promise<VotersResult> {
  const result: VotersResult = {
    voters,
    seconds,
    tpsWithout: [],
    tpsWith: [],
    analyses: 0,
    votesAnalysed: 0,
    samples: 0,
    waitedForAnalysis: 0,
  };
  for (let round = 1; round <= ROUNDS; round += 1) {
    for (const analysed of round % 2 === 1 ? [false, true] : [true, false]) {
      progress(`round ${round}: ${voters} voters ${analysed ? 'with' : 'without'} analyses`);
      await inDatabase(`${prefix}_voters`, async (connectionString) => {
        await withOwner(connectionString, fillHot);
        await withClient(connectionString, (client) => client.query('vacuum (analyze)'));
        await withOwner(connectionString, drain);
        if (!analysed) {
          await withOwner(connectionString, async (client) => {
            for (const name of ['analyze_conversation', 'analyze_moderated']) {
              await client.query('select millrace.drop($1)', [name]);
            }
          });
        }
        const host = analysed ? await startHost(connectionString) : null;
        const ticker = await startTickerThread(connectionString);
        const writers = await startLoad({
          connectionString,
          name: 'bench writer',
          connections: voters,
          first: 0,
          statements: [
            {
              name: 'vote',
              text: `insert into app_public.opinion_vote (opinion_id, voter_id, conversation_id, choice)
                values ($1, $2, $3, $4)`,
            },
          ],
          votes: {
            clients: voters,
            conversation: '1',
            firstOpinion: 1,
            opinions: HOT.opinions,
            firstVoter: 1,
            votesPerVoter: HOT.votesPerVoter,
          },
        });
        const sampling = analysed ? sampleWaits(connectionString) : null;
        const measured = await writers.measure({
          warmUpMs: WARM_UP_MS,
          measureMs: seconds * 1000,
          rate: null,
        });
        const waits = await sampling?.stop();
        refuseFailures('the voters', measured);
        (analysed ? result.tpsWith : result.tpsWithout).push(measured.committed / seconds);
        if (waits) {
          result.samples += waits.samples;
          result.waitedForAnalysis += waits.waited;
          await withOwner(connectionString, async (client) => {
            const { rows } = await client.query<{ votes: number; runs: number }>(
              `select max(vote_count) as votes, max(generation)::int as runs
              from app_public.analysis_run where is_published`,
            );
            result.analyses += rows[0]?.runs ?? 0;
            result.votesAnalysed = Math.max(result.votesAnalysed, rows[0]?.votes ?? 0);
          });
        }
        await writers.close();
        await ticker.stop();
        await host?.stop();
      });
    }
  }
  return result;
}

async function fillHot(client: pg.Client): Promise<void> {
  await client.query(
    `insert into app_public.account (display_name)
    select 'Voter ' || i from generate_series(1, $1::int) i`,
    [HOT.accounts],
  );
  await client.query("insert into app_public.conversation (owner_id, topic) values (1, 'Hot')");
  await client.query(
    `insert into app_public.opinion (conversation_id, author_id, content)
    select 1, i, 'Opinion ' || i from generate_series(1, $1::int) i`,
    [HOT.opinions],
  );
}

/** Worker and lane in a thread of their own, as in production they have a process of their own. */
async function startHost(connectionString: string): Promise<{ stop(): Promise<void> }> {
  const worker = new Worker(new URL('./analysis-host.ts', import.meta.url), {
    workerData: { connectionString },
  });
  await new Promise<void>((resolve, reject) => {
    worker.once('message', () => resolve());
    worker.once('error', reject);
  });
  return {
    async stop() {
      const exit = new Promise((resolve) => worker.once('exit', resolve));
      worker.postMessage('stop');
      await exit;
    },
  };
}

/** Looks again and again whether a voter waits for a lock that the analysis holds. */
function sampleWaits(connectionString: string) {
  let stopped = false;
  const counted = withClient(connectionString, async (client) => {
    let samples = 0;
    let waited = 0;
    while (!stopped) {
      const { rows } = await client.query<{ waits: number }>({
        name: 'waits',
        text: `select count(*)::int as waits
          from pg_stat_activity v
          cross join lateral unnest(pg_blocking_pids(v.pid)) b(pid)
          join pg_stat_activity a on a.pid = b.pid
          where v.application_name = 'bench writer' and v.wait_event_type = 'Lock'
            and a.application_name like 'millrace analysis%'`,
      });
      samples += 1;
      waited += rows[0]?.waits ?? 0;
      await sleep(20);
    }
    return { samples, waited };
  });
  return {
    stop() {
      stopped = true;
      return counted;
    },
  };
}

/** The result as programs read it: medians in milliseconds. */
export function analysisJson({ inputs }: AnalysisBenchResult): Record<string, unknown>[] {
  return inputs.map((it) => ({
    input: it.input,
    votes: it.votes,
    mathMs: round(median(it.warm.map(({ total = Number.NaN }) => total))),
    endToEndMs: round(median(it.voteToPublishedMs)),
    rssMb: round(it.rssMb),
    mathProcessorMs: round(median(it.warm.map(({ processor = Number.NaN }) => processor))),
    coldMathMs: round(it.cold.total ?? Number.NaN),
    coldMathProcessorMs: round(it.cold.processor ?? Number.NaN),
    claimToCommitMs: round(median(it.runs.map(({ total = Number.NaN }) => total))),
    stagesMs: Object.fromEntries(
      Object.keys(it.runs[0] ?? {}).map((stage) => [
        stage,
        round(median(it.runs.map((run) => run[stage] ?? Number.NaN))),
      ]),
    ),
  }));
}

/** The result for people. */
export function analysisReport(result: AnalysisBenchResult): string {
  const { server, runs, inputs, voters } = result;
  const processors = cpus();
  const settings = Object.entries(server.settings).map(([name, value]) => `${name}=${value}`);
  const cell = (value: number) => (value < 10 ? value.toFixed(1) : value.toFixed(0)).padStart(9);
  const stages = Object.keys(inputs[0]?.warm[0] ?? {}).filter(
    (stage) => stage !== 'total' && stage !== 'processor',
  );
  const mid = (list: Record<string, number>[], stage: string) =>
    cell(median(list.map((it) => it[stage] ?? Number.NaN)));
  const line = (name: string, of: (it: InputResult) => string) =>
    `${name.padEnd(34)}${inputs.map((it) => of(it)).join('')}`;
  const lines = [
    `analysis: medians of ${runs} warm runs, in milliseconds`,
    `machine  ${processors.length} × ${processors[0]?.model.trim()}, ` +
      `${Math.round(totalmem() / 2 ** 30)} GB, ${platform()} ${release()}, ` +
      `load ${loadavg()[0]?.toFixed(1)}`,
    `server   Postgres ${server.version}${server.embedded ? ' (embedded)' : ''}: ${settings.join(', ')}`,
    '',
    ...inputs.map(
      (it, at) =>
        `(${at + 1}) ${it.input}: ${it.votes} votes of ${it.participants} on ${it.opinions} opinions`,
    ),
    '',
    line('', (it) => `(${inputs.indexOf(it) + 1})`.padStart(9)),
    ...stages.map((stage) => line(`  ${stage}`, (it) => mid(it.warm, stage))),
    line('mathematics, warm', (it) => mid(it.warm, 'total')),
    line('  of the processor', (it) => mid(it.warm, 'processor')),
    line('mathematics, first in a process', (it) => cell(it.cold.total ?? Number.NaN)),
    line('  of the processor', (it) => cell(it.cold.processor ?? Number.NaN)),
    line('memory, MB (of it before: Node)', (it) => cell(it.rssMb)),
    line('', (it) => cell(it.startMb)),
    line('  claim: read in one snapshot', (it) => mid(it.runs, 'claim')),
    line('  publish: write and commit', (it) => mid(it.runs, 'publish')),
    line('claim to commit', (it) => mid(it.runs, 'total')),
    line('vote to published (debounce 2 s)', (it) => cell(median(it.voteToPublishedMs))),
  ];
  if (voters !== null) {
    const [without, along] = [median(voters.tpsWithout), median(voters.tpsWith)];
    lines.push(
      '',
      `${voters.voters} voters in one conversation, ${voters.seconds} s, ${ROUNDS} rounds, all counters:`,
      `  ${without.toFixed(0)} votes/s without analyses, ${along.toFixed(0)} with: ` +
        `${(100 * (along / without)).toFixed(1)} %`,
      `  ${voters.analyses} analyses, the last of ${voters.votesAnalysed} votes; ` +
        `${voters.waitedForAnalysis} waits for the analysis in ${voters.samples} samples`,
    );
  }
  return `${lines.join('\n')}\n`;
}

const round = (value: number) => Math.round(value * 10) / 10;
