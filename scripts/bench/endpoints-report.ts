import { cpus, loadavg, platform, release, totalmem } from 'node:os';
import type { EndpointResult, EndpointsBenchResult } from './endpoints.ts';

/** Milliseconds: 95 of 100 requests to each endpoint are to be answered in so many. */
const TARGET_MS = 50;

/** The result as programs read it. Milliseconds. */
export function endpointsJson({ endpoints }: EndpointsBenchResult): Record<string, unknown>[] {
  return endpoints.map((it) => ({
    endpoint: it.endpoint,
    p50Ms: round(it.latency.p50),
    p95Ms: round(it.latency.p95),
    p99Ms: round(it.latency.p99),
    statements: it.statements,
    roundTrips: it.roundTrips,
    liveMs: it.liveMs === null ? null : round(it.liveMs),
    handWrittenMs: round(it.handWritten.p50),
    handWrittenP95Ms: round(it.handWritten.p95),
    maxMs: round(it.latency.max),
    samples: it.latency.samples,
    statementsSignedIn: it.statementsSignedIn,
    roundTripsSignedIn: it.roundTripsSignedIn,
    nearMs: round(it.nearMs),
    farMs: round(it.farMs),
  }));
}

/** The result for people: machine, one line for each endpoint, the targets. */
export function endpointsReport(result: EndpointsBenchResult): string {
  const { server, scale, rps, seconds, delay, endpoints, cpuMs } = result;
  const processors = cpus();
  const settings = Object.entries(server.settings).map(([name, value]) => `${name}=${value}`);
  const share = ({ api, handWritten }: typeof cpuMs) =>
    api === null || handWritten === null
      ? ''
      : `; the host's processor for a request: ${api.toFixed(2)} ms, ` +
        `by hand ${handWritten.toFixed(2)} ms`;
  return [
    `endpoints: scale ${scale}, ${rps} requests/s of all together, measured for ${seconds} s`,
    `machine  ${processors.length} × ${processors[0]?.model.trim()}, ` +
      `${Math.round(totalmem() / 2 ** 30)} GB, ${platform()} ${release()}, ` +
      `load ${loadavg()[0]?.toFixed(1)}; clients, hosts and server share it`,
    `server   Postgres ${server.version}${server.embedded ? ' (embedded)' : ''}: ${settings.join(', ')}`,
    `hosts    Node ${process.versions.node}: npm run serve, npm run worker${share(cpuMs)}`,
    '',
    'milliseconds from the moment at which a request was to be sent to the end of its answer; the',
    'median of the same by hand at the same rate, and its p95; the same answer from the base tables;',
    'statements and round trips to the database, for a visitor and for an account, whose settings',
    `are a statement; the median with little load, and with a database that is ${delay} ms farther`,
    '',
    line(
      [
        'endpoint',
        'p50',
        'p95',
        'p99',
        'max',
        'by hand',
        'its p95',
        'live',
        'statements',
        'round trips',
      ],
      ['near', 'far', 'delays'],
    ),
    ...endpoints.map((it) =>
      line(
        [
          it.endpoint,
          ...[it.latency.p50, it.latency.p95, it.latency.p99, it.latency.max].map(digits),
          digits(it.handWritten.p50),
          digits(it.handWritten.p95),
          it.liveMs === null ? '–' : digits(it.liveMs),
          both(it.statements, it.statementsSignedIn),
          both(it.roundTrips, it.roundTripsSignedIn),
        ],
        [digits(it.nearMs), digits(it.farMs), ((it.farMs - it.nearMs) / delay).toFixed(1)],
      ),
    ),
    '',
    ...targets(endpoints, delay),
    '',
  ].join('\n');
}

function line([name = '', ...values]: string[], more: string[]): string {
  return [name.padEnd(21), ...[...values, ...more].map((it) => it.padStart(12))].join('');
}

const both = (visitor: number, account: number) =>
  visitor === account ? String(visitor) : `${visitor} / ${account}`;

function targets(endpoints: EndpointResult[], delay: number): string[] {
  const worst = (value: (it: EndpointResult) => number) =>
    endpoints.reduce((a, b) => (value(b) > value(a) ? b : a));
  const slowest = worst((it) => it.latency.p95);
  const chattiest = worst((it) => Math.max(it.roundTrips, it.roundTripsSignedIn));
  const farthest = worst((it) => it.farMs - it.nearMs);
  const health = endpoints.find((it) => it.endpoint === 'health') as EndpointResult;
  const trips = Math.max(chattiest.roundTrips, chattiest.roundTripsSignedIn);
  const delays = (farthest.farMs - farthest.nearMs) / delay;
  const rows: [string, boolean, string][] = [
    [`p95 of every endpoint ≤ ${TARGET_MS} ms`, slowest.latency.p95 <= TARGET_MS, name(slowest)],
    ['health without a database statement', health.statements === 0, String(health.statements)],
    ['one round trip each', trips <= 1, `${chattiest.endpoint} ${trips}`],
    ['one delay each', Math.round(delays) <= 1, `${farthest.endpoint} ${delays.toFixed(2)}`],
  ];
  return [
    'targets (they are meant at scale 10 and 250 requests/s)',
    ...rows.map(
      ([target, met, value]) => `${target.padEnd(40)}${met ? 'met' : 'missed'}: ${value}`,
    ),
  ];
}

const name = (it: EndpointResult) => `${it.endpoint} ${digits(it.latency.p95)} ms`;
const digits = (value: number) => value.toFixed(value < 100 ? 1 : 0);
const round = (value: number) => Number(value.toFixed(2));
