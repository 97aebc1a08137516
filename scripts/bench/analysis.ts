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
import { startWaitSampler } from './waits.ts';

/*
 * What an analysis takes: its mathematics warm and cold with their memory, in a process of its own;
 * from claim to commit; from a vote to the published result, with ticker, worker and queue as in
 * production; and what it costs those who vote meanwhile.
 */

export interface AnalysisOptions {
  /** Warm runs of each conversation; medians are reported. 0 leaves the conversations out. */
  runs: number;
  /** Connections that vote while the conversation is analysed; 0 leaves that out. */
  voters: number;
  /** Measured seconds of each phase with and without analyses, and how often both are measured. */
  seconds: number;
  rounds: number;
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
  /** Analyses published while the second was measured, and the votes of the largest. */
  analyses: number;
  votesAnalysed: number;
  /**
   * How often waiting voters were looked for, how often of these a result was being written, and
   * how often one waited for the host.
   */
  samples: number;
  samplesWhileWriting: number;
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
/** What voters vote in: opinions with the votes of some, and accounts that each cast a few more. */
const HOT = { opinions: 100, earlier: 400, accounts: 16_000, votesPerVoter: 20 };
/** application_name of those that vote. */
const VOTER = 'bench writer';
const WARM_UP_MS = 3_000;

/**
 * Runs the benchmark: about two minutes, and for voters `rounds` times twice `seconds`.
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
      const inputs =
        options.runs === 0
          ? []
          : await inDatabase(prefix, (connection) => measureInputs(connection, options, progress));
      const voters =
        options.voters === 0
          ? null
          : await inDatabase(`${prefix}_voters`, (connection) =>
              measureVoters(connection, options, progress),
            );
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

/**
 * Votes a second with everything declared, without analyses and with them, in turn: ABBA in one
 * database, each round in a conversation of its own, so that every phase begins with as many votes.
 */
async function measureVoters(
  connectionString: string,
  { voters, seconds, rounds }: AnalysisOptions,
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
    samplesWhileWriting: 0,
    waitedForAnalysis: 0,
  };
  const owner = <T>(work: (client: pg.Client) => Promise<T>) => withOwner(connectionString, work);
  progress('making conversations to vote in');
  await owner((client) => fillHot(client, rounds));
  await withClient(connectionString, (client) => client.query('vacuum (analyze)'));
  await owner(drain);
  const host = await startHost(connectionString);
  const ticker = await startTickerThread(connectionString);
  const sampler = await startWaitSampler(connectionString, VOTER, 20);
  try {
    for (let round = 0; round < rounds; round += 1) {
      for (const [turn, analysed] of [round % 2 === 1, round % 2 === 0].entries()) {
        progress(`round ${round + 1}: ${voters} voters ${analysed ? 'with' : 'without'} analyses`);
        await owner(dropReactions);
        await owner(drain);
        await withClient(connectionString, (client) => client.query('vacuum (analyze)'));
        if (analysed) await owner(declareReaction);
        const conversation = String(round + 1);
        const writers = await startLoad({
          connectionString,
          name: VOTER,
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
            conversation,
            firstOpinion: round * HOT.opinions + 1,
            opinions: HOT.opinions,
            firstVoter: HOT.earlier + turn * HOT.accounts + 1,
            votesPerVoter: HOT.votesPerVoter,
          },
        });
        const before = await owner((client) => published(client, conversation));
        const measured = await writers.measure({
          warmUpMs: WARM_UP_MS,
          measureMs: seconds * 1000,
          rate: null,
        });
        const after = await owner((client) => published(client, conversation));
        await writers.close();
        refuseFailures('the voters', measured);
        (analysed ? result.tpsWith : result.tpsWithout).push(measured.committed / seconds);
        const runs = after.runs - before.runs;
        if (analysed !== runs > 0) {
          throw new Error(`${runs} analyses ${analysed ? 'where some' : 'where none'} should be`);
        }
        result.analyses += runs;
        result.votesAnalysed = Math.max(result.votesAnalysed, after.votes);
      }
    }
  } finally {
    await ticker.stop();
    await host.stop();
    const { samples, whileWriting, waits } = await sampler.stop();
    result.samples = samples;
    result.samplesWhileWriting = whileWriting;
    result.waitedForAnalysis = waits.length;
  }
  return result;
}

async function dropReactions(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    "select name from millrace.derivation where task = 'analyze_conversation'",
  );
  for (const { name } of rows) await client.query('select millrace.drop($1)', [name]);
}

/**
 * As db/derived/analysis.sql declares it, but for the first analysis, which comes early: a phase of
 * 20 seconds has one whole one, and of 40 two.
 */
async function declareReaction(client: pg.Client): Promise<void> {
  await client.query(
    `select millrace.react('analyze_conversation', source => 'app_public.opinion_vote',
      key => '{conversation_id}', task => 'analyze_conversation', debounce => '2 seconds',
      max_wait => '6 seconds', min_interval => '20 seconds',
      columns => '{opinion_id,voter_id,choice,cancelled_at}')`,
  );
}

async function published(client: pg.Client, conversation: string) {
  const { rows } = await client.query<{ runs: number; votes: number }>(
    `select coalesce(q.published, 0)::int as runs, coalesce(r.vote_count, 0) as votes
    from app_public.conversation c
    left join app_private.analysis_request q on q.conversation_id = c.id
    left join app_public.analysis_run r on r.conversation_id = c.id and r.is_published
    where c.id = $1`,
    [conversation],
  );
  return rows[0] as { runs: number; votes: number };
}

/** Conversations 1 to `rounds`, each with opinions and votes, and accounts that will vote. */
async function fillHot(client: pg.Client, rounds: number): Promise<void> {
  await client.query(
    `insert into app_public.account (display_name)
    select 'Voter ' || i from generate_series(1, $1::int) i`,
    [HOT.earlier + 2 * HOT.accounts],
  );
  await client.query(
    `insert into app_public.conversation (owner_id, topic)
    select 1, 'Hot ' || i from generate_series(1, $1::int) i`,
    [rounds],
  );
  await client.query(
    `insert into app_public.opinion (conversation_id, author_id, content)
    select c, i, 'Opinion ' || i
    from generate_series(1, $2::int) c, generate_series(1, $1::int) i
    order by c, i`,
    [HOT.opinions, rounds],
  );
  await client.query(
    `insert into app_public.opinion_vote (opinion_id, voter_id, conversation_id, choice)
    select (c - 1) * $1 + o, v, c,
      case when (v + o) % 7 = 0 then 'pass' when (v + o) % 2 = 0 then 'agree' else 'disagree'
      end::app_public.vote_choice
    from generate_series(1, $3::int) c, generate_series(1, $1::int) o, generate_series(1, $2::int) v`,
    [HOT.opinions, HOT.earlier, rounds],
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

/**
 * The result as programs read it: medians in milliseconds of each conversation. What voters paid
 * stands with the last, or alone where none was measured.
 */
export function analysisJson(result: AnalysisBenchResult): Record<string, unknown>[] {
  const { inputs, voters } = result;
  const list: Record<string, unknown>[] = inputs.map((it) => ({
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
  if (voters !== null) {
    const last = list.pop() ?? { input: `${voters.voters} voters`, votes: voters.votesAnalysed };
    list.push({ ...last, voters });
  }
  return list;
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
    inputs.length > 0
      ? `analysis: medians of ${runs} warm runs, in milliseconds`
      : 'analysis: what it costs those who vote',
    `machine  ${processors.length} × ${processors[0]?.model.trim()}, ` +
      `${Math.round(totalmem() / 2 ** 30)} GB, ${platform()} ${release()}, ` +
      `load ${loadavg()[0]?.toFixed(1)}`,
    `server   Postgres ${server.version}${server.embedded ? ' (embedded)' : ''}: ${settings.join(', ')}`,
  ];
  if (inputs.length > 0)
    lines.push(
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
      '',
      ...limits(inputs),
    );
  if (voters !== null) {
    const { tpsWithout, tpsWith } = voters;
    const share = tpsWith.map((tps, at) => tps / (tpsWithout[at] as number));
    const spread = (values: number[], digits = 0) =>
      `${median(values).toFixed(digits)} (${Math.min(...values).toFixed(digits)} – ` +
      `${Math.max(...values).toFixed(digits)})`;
    lines.push(
      '',
      `${voters.voters} voters in one conversation, ${voters.seconds} s, all counters: ` +
        `median (lowest – highest) of ${tpsWith.length} rounds`,
      `  without analyses ${spread(tpsWithout)} votes/s, with ${spread(tpsWith)}; ` +
        `with / without in the same round ${spread(
          share.map((it) => 100 * it),
          1,
        )} %`,
      `  ${voters.analyses} analyses, of ${voters.votesAnalysed} votes at most; ` +
        `${voters.waitedForAnalysis} waits for it or the rest of the host in ${voters.samples} looks, ` +
        `${voters.samplesWhileWriting} of them while a result was written`,
      target('throughput kept, %', 100 * median(share), 90, 'least'),
    );
  }
  return `${lines.join('\n')}\n`;
}

/** What is asked of the largest conversation. */
function limits(inputs: InputResult[]): string[] {
  const it = inputs.find(({ input }) => input.startsWith(`${LARGE.participants}x`));
  if (it === undefined) return [];
  const middle = (list: Record<string, number>[], stage: string) =>
    median(list.map((run) => run[stage] ?? Number.NaN));
  return [
    `limits of ${it.input}`,
    target('mathematics, warm', middle(it.warm, 'total'), 350),
    target('mathematics, first in a process', it.cold.total ?? Number.NaN, 700),
    target('memory, MB', it.rssMb, 200),
    target('claim to commit', middle(it.runs, 'total'), 1_500),
  ];
}

function target(name: string, value: number, limit: number, bound: 'most' | 'least' = 'most') {
  const met = bound === 'most' ? value <= limit : value >= limit;
  return (
    `  ${name.padEnd(34)}${value.toFixed(0).padStart(6)}   ${bound === 'most' ? '≤' : '≥'} ` +
    `${String(limit).padEnd(8)}${met ? 'met' : 'missed'}`
  );
}

const round = (value: number) => Math.round(value * 10) / 10;
