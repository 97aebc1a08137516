import { Agent, request as httpRequest } from 'node:http';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { Redis } from 'ioredis';

/*
 * A number of clients that each ask again as soon as they have their answer, from a thread of their
 * own: what the other side can give at most, and what an answer takes when it is asked for alone.
 */

export interface ClosedLoadOptions {
  /** `http:` is asked by POST; `redis:` for the value of a key. */
  url: string;
  /** Bodies, or keys, in turn. */
  bodies: readonly string[];
  clients: number;
  warmUpMs: number;
  measureMs: number;
}

export interface ClosedLoadResult {
  perSecond: number;
  /** Milliseconds. */
  p50: number;
  p99: number;
  failed: number;
}

/** @throws Error when not a single answer is right. */
export function runClosedLoad(options: ClosedLoadOptions): Promise<ClosedLoadResult> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: options });
    worker.once('error', reject);
    worker.once('message', resolve);
  });
}

type Ask = (body: string) => Promise<boolean>;

async function run({ bodies, clients, warmUpMs, measureMs, url }: ClosedLoadOptions) {
  const { ask, end } = url.startsWith('redis:') ? redisAsker(url) : httpAsker(url, clients);
  const latencies: number[] = [];
  let failed = 0;
  let turn = 0;
  const start = performance.now() + warmUpMs;
  const stop = start + measureMs;
  await Promise.all(
    Array.from({ length: clients }, async () => {
      for (;;) {
        const asked = performance.now();
        if (asked >= stop) return;
        const body = bodies[turn % bodies.length] as string;
        turn += 1;
        const isRight = await ask(body);
        const answered = performance.now();
        if (asked < start || answered > stop) continue;
        if (isRight) latencies.push(answered - asked);
        else failed += 1;
      }
    }),
  );
  end();
  if (latencies.length === 0) throw new Error(`no right answer from ${url}`);
  latencies.sort((a, b) => a - b);
  const at = (share: number) => latencies[Math.floor((latencies.length - 1) * share)] as number;
  return {
    perSecond: latencies.length / (measureMs / 1_000),
    p50: at(0.5),
    p99: at(0.99),
    failed,
  };
}

function httpAsker(url: string, clients: number): { ask: Ask; end: () => void } {
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const ask: Ask = (body) =>
    new Promise((resolve, reject) => {
      const request = httpRequest(
        url,
        {
          method: 'POST',
          agent,
          headers: {
            'content-type': 'application/json',
            accept: 'application/json',
            'content-length': Buffer.byteLength(body),
          },
        },
        (response) => {
          let head = '';
          response.on('data', (chunk: Buffer) => {
            if (head === '') head = chunk.toString('utf8', 0, 16);
          });
          response.on('end', () =>
            resolve(response.statusCode === 200 && head.startsWith('{"data":{')),
          );
        },
      );
      request.on('error', reject);
      request.end(body);
    });
  return { ask, end: () => agent.destroy() };
}

function redisAsker(url: string): { ask: Ask; end: () => void } {
  const redis = new Redis(url);
  return {
    ask: async (key) => (await redis.get(key)) !== null,
    end: () => redis.disconnect(),
  };
}

if (!isMainThread) parentPort?.postMessage(await run(workerData as ClosedLoadOptions));
