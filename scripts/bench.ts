import { Command, InvalidArgumentError, Option } from 'commander';
import { analysisJson, analysisReport, benchAnalysis } from './bench/analysis.ts';
import { benchCache, cacheJson, cacheReport } from './bench/cache.ts';
import { benchEndpoints } from './bench/endpoints.ts';
import { endpointsJson, endpointsReport } from './bench/endpoints-report.ts';
import { benchFeedLag, feedLagReport } from './bench/feed-lag.ts';
import { benchHotKey } from './bench/hot-key.ts';
import { benchIdle, idleReport } from './bench/idle.ts';
import {
  benchLogHealth,
  HOLDS,
  type Hold,
  logHealthJson,
  logHealthReport,
} from './bench/log-health.ts';
import { benchMaterialize, materializeJson, materializeReport } from './bench/materialize.ts';
import { hotKeyJson, hotKeyReport } from './bench/report.ts';
import { benchStaleness, stalenessJson, stalenessReport } from './bench/staleness.ts';
import { benchTelemetry, telemetryJson, telemetryReport } from './bench/telemetry.ts';
import { runCommand } from './lib/cli.ts';

/*
 * `npm run bench -- hot-key`: what counting costs the writers of one hot row, and its readers;
 * `npm run bench -- materialize`: what a derived relation costs to keep fresh;
 * `npm run bench -- staleness`: how old what is derived may be while everybody writes;
 * `npm run bench -- log-health`: what a snapshot held open does to logs, drains and reads;
 * `npm run bench -- analysis`: what the analysis of a conversation takes, and costs its voters;
 * `npm run bench -- endpoints`: what requests to the API take;
 * `npm run bench -- feed-lag`: how long after a write the feeds show it;
 * `npm run bench -- telemetry`: how fast events come in, and what a question about a day costs.
 */

interface HotKeyArguments {
  clients: number;
  seconds: number;
  rounds: number;
  databaseUrl?: string;
  profile?: boolean;
  json?: boolean;
}

const program = new Command('bench').description('Benchmarks of the engine.').exitOverride();

program
  .command('hot-key')
  .description('votes in one conversation: bare, with counters, and with what counters replace')
  .option('--clients <n>', 'connections that vote at once', positive, 64)
  .option('--seconds <s>', 'measured seconds of each run', positive, 10)
  .option('--rounds <n>', 'rounds of all variants; their median is reported', positive, 3)
  .option('--database-url <url>', 'a server to measure (its login must be able to make databases)')
  .option('--profile', 'show where the time goes')
  .option('--json', 'print the result as one JSON object')
  .action(async (options: HotKeyArguments) => {
    const result = await benchHotKey({
      ...options,
      databaseUrl: options.databaseUrl ?? null,
      profile: options.profile ?? false,
      onProgress: (message) => process.stderr.write(`${message}\n`),
    });
    process.stdout.write(
      options.json ? `${JSON.stringify(hotKeyJson(result))}\n` : hotKeyReport(result),
    );
  });

interface MaterializeArguments {
  rows: number;
  rounds: number;
  databaseUrl?: string;
  json?: boolean;
}

program
  .command('materialize')
  .description('a derived relation when some keys change: incremental, refresh, plain refresh')
  .option('--rows <n>', 'rows of the source; a tenth as many keys', positive, 1_000_000)
  .option('--rounds <n>', 'rounds; their median is reported', positive, 5)
  .option('--database-url <url>', 'a server to measure (its login must be able to make databases)')
  .option('--json', 'print the result as one JSON object')
  .action(async (options: MaterializeArguments) => {
    const result = await benchMaterialize({
      ...options,
      databaseUrl: options.databaseUrl ?? null,
      onProgress: (message) => process.stderr.write(`${message}\n`),
    });
    process.stdout.write(
      options.json ? `${JSON.stringify(materializeJson(result))}\n` : materializeReport(result),
    );
  });

interface StalenessArguments {
  seconds: number;
  databaseUrl?: string;
  json?: boolean;
}

program
  .command('staleness')
  .description('how old what is derived is under continuous writes, beside max_wait and one run')
  .option('--seconds <s>', 'measured seconds', positive, 60)
  .option('--database-url <url>', 'a server to measure (its login must be able to make databases)')
  .option('--json', 'print the result as one JSON object')
  .action(async (options: StalenessArguments) => {
    const result = await benchStaleness({
      ...options,
      databaseUrl: options.databaseUrl ?? null,
      onProgress: (message) => process.stderr.write(`${message}\n`),
    });
    process.stdout.write(
      options.json ? `${JSON.stringify(stalenessJson(result))}\n` : stalenessReport(result),
    );
  });

interface IdleArguments {
  derivations: number;
  seconds: number;
  databaseUrl?: string;
  json?: boolean;
}

program
  .command('idle')
  .description('what the whole system costs while nothing changes, and a tick')
  .option('--derivations <n>', 'at least so many are declared', positive, 50)
  .option('--seconds <s>', 'measured seconds', positive, 60)
  .option('--database-url <url>', 'a server to measure, on this machine and otherwise idle')
  .option('--json', 'print the result as one JSON object')
  .action(async (options: IdleArguments) => {
    const result = await benchIdle({
      ...options,
      databaseUrl: options.databaseUrl ?? null,
      onProgress: (message) => process.stderr.write(`${message}\n`),
    });
    process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : idleReport(result));
  });

interface LogHealthArguments {
  minutes: number;
  rate?: number;
  clients: number;
  hold: Hold;
  databaseUrl?: string;
  json?: boolean;
}

program
  .command('log-health')
  .description('minutes of votes, a snapshot held open in the middle: logs, drains, exact reads')
  .option('--minutes <n>', 'minutes of writing', positive, 3)
  .option('--rate <n>', 'votes a second; default: as many as the machine gives', positive)
  .option('--clients <n>', 'connections that vote in the hot conversation', positive, 16)
  .addOption(
    new Option('--hold <what>', 'what is held open in the middle third')
      .choices([...HOLDS])
      .default('snapshot'),
  )
  .option('--database-url <url>', 'a server to measure (its login must be able to make databases)')
  .option('--json', 'print the result as one JSON object')
  .action(async (options: LogHealthArguments) => {
    const result = await benchLogHealth({
      ...options,
      rate: options.rate ?? null,
      databaseUrl: options.databaseUrl ?? null,
      onProgress: (message) => process.stderr.write(`${message}\n`),
    });
    process.stdout.write(
      options.json ? `${JSON.stringify(logHealthJson(result))}\n` : logHealthReport(result),
    );
  });

interface AnalysisArguments {
  runs: number;
  voters: number;
  seconds: number;
  rounds: number;
  databaseUrl?: string;
  json?: boolean;
}

program
  .command('analysis')
  .description('opinion groups: mathematics, claim to commit, vote to published, cost to voters')
  .option('--runs <n>', 'warm runs of each conversation; 0: leave conversations out', count, 5)
  .option(
    '--voters <n>',
    'connections that vote while it is analysed; 0: leave them out',
    count,
    64,
  )
  .option('--seconds <s>', 'measured seconds of each phase, with or without analyses', positive, 20)
  .option('--rounds <n>', 'rounds of both; their median is reported', positive, 4)
  .option('--database-url <url>', 'a server to measure (its login must be able to make databases)')
  .option('--json', 'print the result of each conversation as a JSON array')
  .action(async (options: AnalysisArguments) => {
    const result = await benchAnalysis({
      ...options,
      databaseUrl: options.databaseUrl ?? null,
      onProgress: (message) => process.stderr.write(`${message}\n`),
    });
    process.stdout.write(
      options.json ? `${JSON.stringify(analysisJson(result))}\n` : analysisReport(result),
    );
  });

interface EndpointsArguments {
  scale: number;
  rps: number;
  seconds: number;
  delay: number;
  databaseUrl?: string;
  keep?: string;
  json?: boolean;
}

program
  .command('endpoints')
  .description('requests to the API at a fixed rate, beside live answers and a server by hand')
  .option('--scale <n>', 'how much data: see npm run demo-data', amount, 10)
  .option('--rps <n>', 'requests a second of all endpoints together', positive, 250)
  .option('--seconds <s>', 'measured seconds of the API, and of the server by hand', positive, 30)
  .option('--delay <ms>', 'what a round trip to a distant database takes more', positive, 40)
  .option('--database-url <url>', 'a server to measure (its login must be able to make databases)')
  .option('--keep <name>', 'a database of it: filled if it is not there, and kept')
  .option('--json', 'print the result of each endpoint as a JSON array')
  .action(async (options: EndpointsArguments) => {
    const result = await benchEndpoints({
      ...options,
      databaseUrl: options.databaseUrl ?? null,
      keep: options.keep ?? null,
      onProgress: (message) => process.stderr.write(`${message}\n`),
    });
    process.stdout.write(
      options.json ? `${JSON.stringify(endpointsJson(result))}\n` : endpointsReport(result),
    );
  });

interface FeedLagArguments {
  scale: number;
  rps: number;
  writes: number;
  databaseUrl?: string;
  keep?: string;
  json?: boolean;
}

program
  .command('feed-lag')
  .description('from the answer of a write to a feed that shows it, through the API')
  .option('--scale <n>', 'how much data: see npm run demo-data', amount, 10)
  .option('--rps <n>', 'requests a second beside it, in the second half', positive, 250)
  .option('--writes <n>', 'writes of each kind that are followed', positive, 100)
  .option('--database-url <url>', 'a server to measure (its login must be able to make databases)')
  .option('--keep <name>', 'a database of it: filled if it is not there, and kept')
  .option('--json', 'print the result as a JSON array')
  .action(async (options: FeedLagArguments) => {
    const lags = await benchFeedLag({
      ...options,
      databaseUrl: options.databaseUrl ?? null,
      keep: options.keep ?? null,
      onProgress: (message) => process.stderr.write(`${message}\n`),
    });
    process.stdout.write(options.json ? `${JSON.stringify(lags)}\n` : feedLagReport(lags));
  });

interface TelemetryArguments {
  seconds: number;
  rounds: number;
  eventsPerMonth: number;
  databaseUrl?: string;
  json?: boolean;
}

program
  .command('telemetry')
  .description('events that come in, by size of batch and connections; a day among 1 and 24 months')
  .option('--seconds <s>', 'measured seconds of each run', positive, 2)
  .option('--rounds <n>', 'rounds of all runs; their median is reported', positive, 2)
  .option('--events-per-month <n>', 'events of each month that is asked', positive, 50_000)
  .option('--database-url <url>', 'a server to measure (its login must be able to make databases)')
  .option('--json', 'print the result as one JSON object')
  .action(async (options: TelemetryArguments) => {
    const result = await benchTelemetry({
      ...options,
      databaseUrl: options.databaseUrl ?? null,
      onProgress: (message) => process.stderr.write(`${message}\n`),
    });
    process.stdout.write(
      options.json ? `${JSON.stringify(telemetryJson(result))}\n` : telemetryReport(result),
    );
  });

interface CacheArguments {
  scale: number;
  seconds: number;
  rounds: number;
  clients: number;
  databaseUrl?: string;
  json?: boolean;
}

program
  .command('cache')
  .description('a page of the feed without the cache, from memory, from Redis; latency, throughput')
  .option('--scale <n>', 'how much data: see npm run demo-data', amount, 0.1)
  .option('--seconds <s>', 'measured seconds of each run', positive, 4)
  .option('--rounds <n>', 'rounds of all runs; their median is reported', positive, 3)
  .option('--clients <n>', 'clients of the runs for throughput', positive, 16)
  .option('--database-url <url>', 'a server to measure (its login must be able to make databases)')
  .option('--json', 'print the result as one JSON object')
  .action(async (options: CacheArguments) => {
    const result = await benchCache({
      ...options,
      databaseUrl: options.databaseUrl ?? null,
      onProgress: (message) => process.stderr.write(`${message}\n`),
    });
    process.stdout.write(
      options.json ? `${JSON.stringify(cacheJson(result))}\n` : cacheReport(result),
    );
  });

await runCommand(async () => {
  await program.parseAsync();
  return 0;
});

function positive(value: string): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 1) {
    throw new InvalidArgumentError('It must be a whole number above 0.');
  }
  return number;
}

function count(value: string): number {
  return value === '0' ? 0 : positive(value);
}

function amount(value: string): number {
  const number = Number(value);
  if (!Number.isFinite(number) || number <= 0) throw new InvalidArgumentError('More than 0.');
  return number;
}
