import { Agent, request as send } from 'node:http';
import { parentPort, workerData } from 'node:worker_threads';
import { build, type Histogram } from 'hdr-histogram-js';
import type { HttpLoadOptions, HttpLoadResult, HttpRequest, RequestKind } from './http-load.ts';

/*
 * HTTP requests at a fixed rate, whatever the server does: each has its time, and its latency counts
 * from then on. So a server that stands still for a second is seen by all who would have come in
 * that second, and not only by those who happened to wait (coordinated omission).
 *
 * A thread of its own (http-load.ts starts it): what it measures waits for nothing else.
 */

/** A server that answers slower than the rate for long would fill the memory: then it is over. */
const UNANSWERED_MAX = 5_000;

parentPort?.postMessage(await load(workerData as HttpLoadOptions));

async function load(options: HttpLoadOptions): Promise<HttpLoadResult> {
  const { kinds, rate, warmUpMs, measureMs } = options;
  const histograms: Histogram[] = kinds.map(() =>
    build({ lowestDiscernibleValue: 1, highestTrackableValue: 120_000_000 }),
  );
  const agent = new Agent({ keepAlive: true, maxSockets: 256 });
  const order = shuffledKinds(kinds.length, options.seed);
  const next = kinds.map(() => 0);
  let failed = 0;
  let firstError: string | null = null;
  let unanswered = 0;

  const interval = 1000 / rate;
  const start = performance.now() + 50;
  const from = start + warmUpMs;
  const total = Math.floor((warmUpMs + measureMs) / interval);
  const answers: Promise<void>[] = [];

  const run = async (which: number, dueAt: number) => {
    const { name, requests } = kinds[which] as RequestKind;
    const number = next[which] as number;
    next[which] = number + 1;
    unanswered += 1;
    const error = await exchange(agent, options.url, requests[number % requests.length]!);
    unanswered -= 1;
    if (error !== null) {
      failed += 1;
      firstError ??= `${name}: ${error}`;
    } else if (dueAt >= from) {
      histograms[which]?.recordValue(Math.max(1, Math.round((performance.now() - dueAt) * 1000)));
    }
  };

  let sent = 0;
  await new Promise<void>((resolve, reject) => {
    const timer = setInterval(() => {
      const now = performance.now();
      for (; sent < total && start + sent * interval <= now; sent += 1) {
        answers.push(run(order(sent), start + sent * interval));
      }
      if (sent === total || failed >= 100) {
        clearInterval(timer);
        resolve();
      } else if (unanswered > UNANSWERED_MAX) {
        clearInterval(timer);
        reject(new Error(`${unanswered} requests are unanswered: ${rate} a second are too many`));
      }
    }, 1);
  });
  await Promise.all(answers);
  agent.destroy();
  return {
    failed,
    firstError,
    latencies: kinds.map(({ name }, which) => {
      const histogram = histograms[which] as Histogram;
      const at = (percentile: number) => histogram.getValueAtPercentile(percentile) / 1000;
      return {
        name,
        samples: histogram.totalCount,
        p50: at(50),
        p95: at(95),
        p99: at(99),
        max: at(100),
      };
    }),
  };
}

/** Sends a request and reads the answer to its end: null, or what is wrong with it. */
function exchange(
  agent: Agent,
  url: string,
  { method, path, headers, body }: HttpRequest,
): Promise<string | null> {
  return new Promise((resolve) => {
    const request = send(`${url}${path}`, { agent, method, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => {
        const isFine = response.statusCode === 200 && !text.includes('"errors"');
        resolve(isFine ? null : `${response.statusCode} ${text.slice(0, 500)}`);
      });
      response.on('error', (error) => resolve(error.message));
    });
    request.on('error', (error) => resolve(error.message));
    request.end(body ?? undefined);
  });
}

/** Which kind comes when: each once in every round, in another order in each. */
function shuffledKinds(count: number, seed: number): (number: number) => number {
  let state = seed >>> 0;
  const random = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  const round: number[] = [];
  return () => {
    if (round.length === 0) {
      for (let kind = 0; kind < count; kind += 1) {
        round.splice(Math.floor(random() * (round.length + 1)), 0, kind);
      }
    }
    return round.pop() as number;
  };
}
