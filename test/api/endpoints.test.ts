import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ENDPOINTS, type Endpoint } from '../../scripts/bench/endpoint-requests.ts';
import {
  apiRequest,
  COMPARED,
  chooseSamples,
  compareAnswers,
  type Sample,
} from '../../scripts/bench/endpoints.ts';
import { loadDemoData } from '../../scripts/lib/demo-data.ts';
import { settle } from '../discovery/world.ts';
import { startTestApi, type TestApi } from './test-api.ts';

/*
 * What `npm run bench -- endpoints` says of statements and round trips, counted on the wire on
 * every change; and that what it compares the API with gives the same answers.
 */

let api: TestApi;
let sample: Sample;

beforeAll(async () => {
  api = await startTestApi({
    prepare: async (db) => await loadDemoData(db.connectionString, { scale: 0.05 }),
  });
  sample = (await chooseSamples(await api.db.connect()))[1] as Sample;
}, 120_000);

afterAll(() => api.stop());

/**
 * What the wire saw of the second of two equal requests; the first prepares the statements. The host
 * asks for the plan of a statement that was slow, once in ten minutes: then another one is looked at.
 */
async function secondTime(endpoint: Endpoint, account: string | null) {
  const token = account === null ? null : (await api.as(account)).replace('Bearer ', '');
  const { method, path, headers, body } = apiRequest(endpoint, sample, token);
  const send = async () => {
    const response = await fetch(`${api.server.url}${path}`, { method, headers, body });
    const answer = (await response.json()) as { errors?: unknown };
    expect(response.status).toBe(200);
    expect(answer.errors).toBeUndefined();
  };
  await send();
  for (;;) {
    api.proxy.reset();
    await send();
    const counts = { ...api.proxy.counts() };
    if (!counts.texts.some((text) => text.startsWith('explain '))) return counts;
  }
}

const named = (endpoints: readonly Endpoint[]) => endpoints.map((it) => [it.name, it] as const);
const [health, ...others] = ENDPOINTS;

describe('statements and round trips', () => {
  test('health has none', async () => {
    expect(await secondTime(health as Endpoint, null)).toMatchObject({
      statements: 0,
      roundTrips: 0,
    });
  });

  test.each(named(others.filter(({ audience }) => audience === 'everybody')))(
    '%s is one statement for a visitor',
    async (_, endpoint) => {
      expect(await secondTime(endpoint, null)).toMatchObject({
        statements: 1,
        roundTrips: 1,
        parses: 0,
      });
    },
  );

  test.each(named(others))(
    '%s is its settings and one statement, in one round trip, for an account',
    async (_, endpoint) => {
      expect(await secondTime(endpoint, sample.account)).toMatchObject({
        statements: 2,
        roundTrips: 1,
        parses: 0,
      });
    },
  );

  test.each(named(others))('%s waits for a distant database once', async (_, endpoint) => {
    await secondTime(endpoint, sample.account);
    const delay = 100;
    api.proxy.setDelay(delay);
    try {
      const started = performance.now();
      expect(await secondTime(endpoint, sample.account)).toMatchObject({ roundTrips: 1 });
      // Two requests: neither can have been answered from anywhere else.
      expect(performance.now() - started).toBeGreaterThanOrEqual(2 * delay - 5);
    } finally {
      api.proxy.setDelay(0);
    }
  });
});

describe('the same answer', () => {
  // The requests counted above have upvoted.
  beforeAll(() => settle(api.db));

  const compare = async (endpoint: Endpoint) => {
    const token = (await api.as(sample.account)).replace('Bearer ', '');
    await compareAnswers(await api.db.connect(), endpoint, sample, api.server.url, token);
  };

  test.each(named(ENDPOINTS.filter(({ name }) => COMPARED.has(name))))(
    '%s: by the API, by hand on what is derived, and from the base tables',
    async (_, endpoint) => {
      await compare(endpoint);
    },
  );

  test('and a number that is wrong is seen', async () => {
    await api.db.pool.query('update app_public.feed_project set comment_count = comment_count + 1');
    const newest = ENDPOINTS.find(({ name }) => name === 'feed-newest') as Endpoint;
    await expect(compare(newest)).rejects.toThrow(
      /feed-newest, row 1: the API says commentCount "\d+", the live statement "\d+"/,
    );
  });
});
