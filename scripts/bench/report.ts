import { cpus, loadavg, platform, release, totalmem } from 'node:os';
import { type HotKeyResult, median, type ReadTimes } from './hot-key.ts';
import type { RunProfile } from './profile.ts';
import { DEFINITIONS, VARIANTS, type Variant } from './variants.ts';

/** Characters of a bar that stands for the bare throughput. */
const BAR_WIDTH = 30;

/** The result as programs read it: medians over the rounds. */
export function hotKeyJson(result: HotKeyResult): Record<string, unknown> {
  const reads = ({ exact, plain }: ReadTimes) => ({ exact, plain });
  return {
    clients: result.clients,
    tps: Object.fromEntries(VARIANTS.map((v) => [v, Math.round(median(result.tps[v]))])),
    readMs: reads(result.readMs),
    readMsSaturated: reads(result.readMsSaturated),
    recountMs: round(result.recount.ms, 3),
    ...(Object.keys(result.profiles).length > 0 && { profile: result.profiles }),
  };
}

/** The result for people: machine, a chart of the throughputs, the read times, the targets. */
export function hotKeyReport(result: HotKeyResult): string {
  return [
    ...describeMachine(result),
    '',
    ...throughputTable(result),
    '',
    ...readTable(result),
    '',
    ...targets(result),
    ...Object.entries(result.profiles).flatMap(([variant, profile]) => [
      '',
      ...profileLines(variant as Variant, profile),
    ]),
    '',
  ].join('\n');
}

function describeMachine({ server, clients, seconds, rounds }: HotKeyResult): string[] {
  const processors = cpus();
  const settings = Object.entries(server.settings).map(([name, value]) => `${name}=${value}`);
  return [
    `hot-key: ${clients} clients vote in one conversation, ${rounds} rounds of ${seconds} s each`,
    `machine  ${processors.length} × ${processors[0]?.model.trim()}, ` +
      `${Math.round(totalmem() / 2 ** 30)} GB, ${platform()} ${release()}, ` +
      `load ${loadavg()[0]?.toFixed(1)}; clients and server share it`,
    `server   Postgres ${server.version}${server.embedded ? ' (embedded)' : ''}: ${settings.join(', ')}`,
    `clients  Node ${process.versions.node}, one prepared statement per connection`,
  ];
}

function throughputTable({ tps, writeMs }: HotKeyResult): string[] {
  const bare = median(tps.bare);
  return [
    'votes a second (median; lowest – highest round), and milliseconds of a vote (p50, p99)',
    ...VARIANTS.map((variant) => {
      const values = tps[variant];
      const value = median(values);
      const share = value / bare;
      return [
        variant.padEnd(12),
        format(value).padStart(7),
        `${format(Math.min(...values))} – ${format(Math.max(...values))}`.padStart(17),
        `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`.padStart(6),
        bar(share).padEnd(BAR_WIDTH),
        median(writeMs[variant].map(({ p50 }) => p50))
          .toFixed(1)
          .padStart(6),
        median(writeMs[variant].map(({ p99 }) => p99))
          .toFixed(1)
          .padStart(7),
        DEFINITIONS[variant].description,
      ].join('  ');
    }),
  ];
}

function bar(share: number): string {
  const eighths = Math.round(Math.min(share, 1) * BAR_WIDTH * 8);
  const last = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'][eighths % 8];
  return '█'.repeat(Math.floor(eighths / 8)) + last;
}

function readTable({ readMs, readMsSaturated, recount }: HotKeyResult): string[] {
  const line = (name: keyof ReadTimes, description: string) =>
    [
      name.padEnd(12),
      ...[readMs, readMsSaturated].flatMap((times) => [
        times[name].p50.toFixed(2).padStart(8),
        times[name].p99.toFixed(2).padStart(8),
      ]),
      `  ${description}`,
    ].join('  ');
  return [
    'milliseconds of a read      half load          full load',
    `${''.padEnd(12)}  ${'p50'.padStart(8)}  ${'p99'.padStart(8)}  ${'p50'.padStart(8)}  ${'p99'.padStart(8)}`,
    line('plain', 'the row by primary key'),
    line('exact', 'vote_count, exact (all counters declared)'),
    line('distinct', 'participant_count, exact'),
    `${'recount'.padEnd(12)}  ${recount.ms.toFixed(2).padStart(8)}  ` +
      `${''.padStart(28)}    select count(*) over ${format(recount.votes)} votes, median at half load`,
  ];
}

function targets({ clients, tps, readMs, recount }: HotKeyResult): string[] {
  const of = (variant: Variant) => median(tps[variant]);
  const rows: [string, number, number][] = [
    ['oneCounter / bare', of('oneCounter') / of('bare'), 0.8],
    ['allCounters / bare', of('allCounters') / of('bare'), 0.7],
    ['oneCounter / rowTrigger', of('oneCounter') / of('rowTrigger'), 5],
    ['allCounters / rowTrigger', of('allCounters') / of('rowTrigger'), 5],
    ['oneCounter / keyedJob', of('oneCounter') / of('keyedJob'), 25],
    ['allCounters / keyedJob', of('allCounters') / of('keyedJob'), 25],
    ['5 × plain p99 / exact p99, half load', (5 * readMs.plain.p99) / readMs.exact.p99, 1],
    ['recount / exact, medians, half load', recount.ms / readMs.exact.p50, 20],
  ];
  return [
    clients === 64 ? 'targets' : 'targets (they are meant at 64 clients)',
    ...rows.map(([name, value, target]) => {
      const verdict =
        value >= target ? 'met' : `missed by ${(100 * (1 - value / target)).toFixed(0)} %`;
      return `${name.padEnd(38)}${value.toFixed(2).padStart(8)}   ≥ ${target}`.padEnd(58) + verdict;
    }),
  ];
}

function profileLines(variant: Variant, profile: RunProfile): string[] {
  const { cpuMicroseconds, drains, logs, statements } = profile;
  return [
    `profile of ${variant}, last round`,
    ...(cpuMicroseconds
      ? [
          `  processor µs per vote: ${Object.entries(cpuMicroseconds)
            .map(([kind, value]) => `${kind} ${value.toFixed(1)}`)
            .join(', ')}`,
        ]
      : []),
    ...(drains.count > 0
      ? [
          `  drains: ${drains.count} of ${format(drains.rows)} rows, median ${drains.median.toFixed(1)} ms, ` +
            `longest ${drains.longest.toFixed(1)} ms, ${drains.microsecondsPerRow.toFixed(1)} µs per row`,
          ...logs.map(
            (log) =>
              `  ${log.log}: ${format(log.bytes / 1024)} kB, ${format(log.pending)} pending, ` +
              `${format(log.deadTuples)} dead`,
          ),
        ]
      : []),
    ...statements.map(
      ({ query, calls, meanMs, totalMs }) =>
        `  ${totalMs.toFixed(0).padStart(8)} ms  ${format(calls).padStart(9)} × ` +
        `${meanMs.toFixed(3).padStart(9)} ms  ${query.slice(0, 90)}`,
    ),
  ];
}

function format(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
