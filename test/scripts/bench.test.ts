import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EndpointsBenchResult } from '../../scripts/bench/endpoints.ts';
import { endpointsJson, endpointsReport } from '../../scripts/bench/endpoints-report.ts';
import { median } from '../../scripts/bench/hot-key.ts';
import { runHttpLoad } from '../../scripts/bench/http-load.ts';
import { openWire, type Wire } from '../../scripts/bench/wire.ts';
import { createEmptyDatabase, type TestDatabase } from '../lib/database.ts';

/* The load generator of the benchmarks: what it says it ran, it ran. */

let db: TestDatabase;

beforeAll(async () => {
  db = await createEmptyDatabase();
  await db.pool.query(
    'create schema bench; create table bench.t (id bigint primary key, label text)',
  );
});

afterAll(async () => {
  await db.drop();
});

const run = (wire: Wire, ...values: string[]) =>
  new Promise<string | null>((resolve) => wire.run(values, resolve));

describe('a wire', () => {
  test('runs its statement again and again, and goes on after an error', async () => {
    const wire = await openWire(
      { connectionString: db.connectionString },
      'insert into bench.t (id, label) values ($1, $2)',
    );
    for (let i = 0; i < 50; i += 1) expect(await run(wire, String(i), `é ${i}`)).toBeNull();
    expect(await run(wire, '7', 'twice')).toMatch(/^23505: duplicate key/);
    expect(await run(wire, 'seven', '')).toMatch(/^22P02: /);
    expect(await run(wire, '50', '')).toBeNull();
    await wire.close();
    const { rows } = await db.pool.query(
      `select count(*)::integer as n, max(label) filter (where id = 7) as label from bench.t`,
    );
    expect(rows).toEqual([{ n: 51, label: 'é 7' }]);
  });

  test('reads answers of any size', async () => {
    const wire = await openWire(
      { connectionString: db.connectionString },
      "select repeat('x', $1::integer) from generate_series(1, 20)",
    );
    for (const size of ['0', '1', '8187', '8192', '100000'])
      expect(await run(wire, size)).toBeNull();
    await wire.close();
  });

  test('refuses a statement that cannot be prepared, with the server’s words', async () => {
    await expect(openWire({ connectionString: db.connectionString }, 'selekt 1')).rejects.toThrow(
      /42601: syntax error/,
    );
  });

  test('runs one statement at a time', async () => {
    const wire = await openWire({ connectionString: db.connectionString }, 'select 1');
    const first = run(wire);
    expect(() => wire.run([], () => undefined)).toThrow(/has not ended/);
    expect(await first).toBeNull();
    await wire.close();
  });
});

test('the median is the middle, or between the two in the middle', () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(median([])).toBeNaN();
});

describe('requests at a fixed rate', () => {
  const request = { method: 'GET' as const, path: '/', headers: {}, body: null };

  /** Answers once `count` requests are there, never before. */
  async function withPatientServer(
    count: number,
    answer: (response: ServerResponse) => void,
    work: (url: string) => Promise<void>,
  ): Promise<void> {
    const waiting: ServerResponse[] = [];
    const server = createServer((_, response) => {
      waiting.push(response);
      if (waiting.length === count) for (const it of waiting) answer(it);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    } finally {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }

  const load = (url: string) =>
    runHttpLoad({
      url,
      kinds: [
        { name: 'one', requests: [request] },
        { name: 'other', requests: [request] },
      ],
      rate: 200,
      warmUpMs: 0,
      measureMs: 100,
      seed: 7,
    });

  test('are sent while others wait, and count from when they were to be sent', async () => {
    await withPatientServer(
      20,
      (response) => response.end('{}'),
      async (url) => {
        const { latencies, failed } = await load(url);
        expect(failed).toBe(0);
        expect(latencies.map(({ name, samples }) => [name, samples])).toEqual([
          ['one', 10],
          ['other', 10],
        ]);
        // The first was to be sent 95 ms before the last, and all were answered after that one.
        expect(Math.max(...latencies.map(({ max }) => max))).toBeGreaterThanOrEqual(94);
      },
    );
  });

  test('that fail are counted, and the first failure is told', async () => {
    await withPatientServer(
      20,
      (response) => response.end('{"errors":[{"message":"no"}]}'),
      async (url) => {
        const { latencies, failed, firstError } = await load(url);
        expect(failed).toBe(20);
        expect(firstError).toMatch(/^(one|other): 200 \{"errors"/);
        expect(latencies.map(({ samples }) => samples)).toEqual([0, 0]);
      },
    );
  });
});

describe('the report of the endpoints', () => {
  const latency = (p95: number) => ({ name: '', samples: 9, p50: 1.234, p95, p99: 70, max: 80 });
  const result = (p95: number, roundTrips: number): EndpointsBenchResult => ({
    server: { version: '18', settings: {}, embedded: true },
    scale: 10,
    rps: 250,
    seconds: 30,
    delay: 40,
    cpuMs: { api: 1, handWritten: 0.5 },
    endpoints: (['health', 'search'] as const).map((endpoint) => ({
      endpoint,
      latency: latency(p95),
      handWritten: latency(2),
      statements: endpoint === 'health' ? 0 : 1,
      roundTrips: endpoint === 'health' ? 0 : roundTrips,
      statementsSignedIn: endpoint === 'health' ? 0 : 2,
      roundTripsSignedIn: endpoint === 'health' ? 0 : roundTrips,
      liveMs: endpoint === 'health' ? null : 500,
      nearMs: 2,
      farMs: endpoint === 'health' ? 2 : 2 + 40 * roundTrips,
    })),
  });

  test('for programs begins with what was promised', () => {
    expect(endpointsJson(result(20, 1))).toMatchObject([
      { endpoint: 'health', statements: 0, roundTrips: 0, liveMs: null },
      {
        endpoint: 'search',
        p50Ms: 1.23,
        p95Ms: 20,
        p99Ms: 70,
        statements: 1,
        roundTrips: 1,
        liveMs: 500,
        handWrittenMs: 1.23,
      },
    ]);
  });

  test('for people says which targets are met, and by what they are missed', () => {
    expect(endpointsReport(result(20, 1))).not.toMatch(/missed/);
    const missed = endpointsReport(result(60, 2));
    expect(missed).toMatch(/p95 of every endpoint ≤ 50 ms +missed: health 60\.0 ms/);
    expect(missed).toMatch(/one round trip each +missed: search 2/);
    expect(missed).toMatch(/one delay each +missed: search 2\.00/);
  });
});
