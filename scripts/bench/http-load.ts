import { Worker } from 'node:worker_threads';

/** An HTTP request, ready to be sent. */
export interface HttpRequest {
  method: 'GET' | 'POST';
  path: string;
  headers: Record<string, string>;
  body: string | null;
}

/** Requests of one kind: they are sent in turn, each time another one. */
export interface RequestKind {
  name: string;
  requests: readonly HttpRequest[];
}

export interface HttpLoadOptions {
  /** Where the server listens, without a path. */
  url: string;
  kinds: readonly RequestKind[];
  /** Requests a second of all kinds together, equally many of each. */
  rate: number;
  warmUpMs: number;
  measureMs: number;
  /** Of the order of kinds: the same seed, the same order. */
  seed: number;
}

export interface KindLatency {
  name: string;
  samples: number;
  /** Milliseconds from the moment at which the request was to be sent. */
  p50: number;
  p95: number;
  p99: number;
  max: number;
}

export interface HttpLoadResult {
  latencies: KindLatency[];
  /** Answers with another status than 200, with errors, or none at all. */
  failed: number;
  firstError: string | null;
}

/**
 * Sends the requests for a while, from a thread of its own.
 *
 * @throws Error when the server falls so far behind that measuring makes no sense.
 */
export function runHttpLoad(options: HttpLoadOptions): Promise<HttpLoadResult> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./http-load-thread.ts', import.meta.url), {
      workerData: options,
    });
    worker.once('error', reject);
    worker.once('message', resolve);
  });
}
