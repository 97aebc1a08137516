import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Answer, startTestApi, type TestApi } from '../api/test-api.ts';
import { until } from './until.ts';

/* The cache before the real API: what is kept, for how long, and what passes by. */

const FEED = '{ newestProjects { nodes { projectId title upvoteCount } } }';
const CONVERSATION = 'query ($id: BigInt!) { conversation(id: $id) { topic voteCount } }';

let api: TestApi;
let owner: string;
let conversation: string;
let admin: pg.Client;

beforeAll(async () => {
  api = await startTestApi({ poolSize: 4, development: false, server: { cacheMegabytes: 8 } });
  admin = new pg.Client({ connectionString: api.db.connectionString });
  await admin.connect();
  owner = await api.account('Olga');
  const { rows } = await api.db.pool.query<{ id: string }>(
    `insert into app_public.conversation (owner_id, topic) values ($1, 'Ferries') returning id`,
    [owner],
  );
  conversation = rows[0]!.id;
  await api.db.pool.query(
    `insert into app_public.project (owner_id, title, tagline)
    select $1, 'Project ' || i, 'Something' from generate_series(1, 3) i`,
    [owner],
  );
  await recompute();
  await until(() => api.server.cacheStatistics()!.listening, Boolean);
});

afterAll(async () => {
  await admin.end();
  await api.stop();
});

beforeEach(async () => {
  await api.server.clearCache();
  api.proxy.reset();
});

const statistics = () => api.server.cacheStatistics()!;

/** Brings the feed up to date, and waits until the server has heard of it. */
async function recompute(): Promise<void> {
  const before = statistics().invalidations;
  await api.db.pool.query('select millrace.drain()');
  await api.db.pool.query("select millrace.run_now('app_public.feed_project')");
  await until(
    () => statistics().invalidations,
    (invalidations) => invalidations > before,
  );
}

async function ask(query: string, variables?: object, headers: Record<string, string> = {}) {
  const response = await fetch(`${api.server.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ query, variables }),
  });
  const answer = (await response.json()) as Pick<Answer, 'data' | 'errors'>;
  return { ...answer, from: response.headers.get('cache-status') };
}

describe('a list of a derived relation that announces its changes', () => {
  test('is kept until it changes, well beyond a drain interval', async () => {
    const first = await ask(FEED);
    expect(first.data.newestProjects.nodes).toHaveLength(3);
    expect(first.from).toBe('millrace; fwd=miss');
    const end = performance.now() + 600;
    let hits = 0;
    while (performance.now() < end) {
      expect((await ask(FEED)).from).toBe('millrace; hit');
      hits += 1;
    }
    expect(api.proxy.counts().texts.filter((text) => /newest_projects/.test(text))).toHaveLength(1);
    expect(statistics().hits).toBeGreaterThanOrEqual(hits);

    await api.db.pool.query(
      "update app_public.project set title = 'Renamed' where title = 'Project 2'",
    );
    await recompute();
    const titles = (await ask(FEED)).data.newestProjects.nodes.map(
      ({ title }: { title: string }) => title,
    );
    expect(titles).toContain('Renamed');
  });

  test('is never older than what has been announced, while it is written and read', async () => {
    let isWriting = true;
    let committed = 0;
    let wrong = 0;
    const readers = Array.from({ length: 4 }, async () => {
      while (isWriting) {
        const known = committed;
        const { data } = await ask(FEED);
        const numbers = data.newestProjects.nodes.map(({ title }: { title: string }) =>
          Number(/^Version (\d+)$/.exec(title)?.[1] ?? 0),
        );
        if (Math.max(...numbers) < known) wrong += 1;
      }
    });
    for (let version = 1; version <= 25; version += 1) {
      await api.db.pool.query(
        `update app_public.project set title = 'Version ' || $1::int
        where id = (select min(id) from app_public.project)`,
        [version],
      );
      await recompute();
      committed = version;
    }
    isWriting = false;
    await Promise.all(readers);
    expect(wrong).toBe(0);
    expect(statistics().hits).toBeGreaterThan(0);
  });

  test('is not given when nobody listens, and made anew when somebody listens again', async () => {
    await ask(FEED);
    expect((await ask(FEED)).from).toBe('millrace; hit');
    const before = statistics().invalidations;
    await admin.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
      where application_name = 'millrace announcements' and datname = current_database()`,
    );
    await until(
      () => statistics(),
      ({ listening, invalidations }) => !listening || invalidations > before,
    );
    expect((await ask(FEED)).from).toBe('millrace; fwd=miss');
    await until(() => statistics().listening, Boolean);
  });
});

describe('an answer with exact fields', () => {
  test('is kept for a drain interval at most', async () => {
    const began = performance.now();
    const first = await ask(CONVERSATION, { id: conversation });
    expect(first.data.conversation).toEqual({ topic: 'Ferries', voteCount: '0' });
    await api.db.pool.query("update app_public.conversation set topic = 'Bridges'");
    const { at } = await until(
      async () => ({
        topic: (await ask(CONVERSATION, { id: conversation })).data.conversation.topic,
        at: performance.now(),
      }),
      ({ topic }) => topic === 'Bridges',
    );
    // Whoever asked a drain interval after the first answer began was not given it again.
    expect(at - began).toBeGreaterThan(0);
    const asked = performance.now();
    await until(
      () => performance.now() - asked,
      (ms) => ms > 250,
    );
    await api.db.pool.query("update app_public.conversation set topic = 'Tunnels'");
    // The last answer began before; it is older than a drain interval now.
    expect((await ask(CONVERSATION, { id: conversation })).data.conversation.topic).toBe('Tunnels');
  });

  test('asked for by many at once is made once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 60 }, () => ask(CONVERSATION, { id: conversation })),
    );
    expect(new Set(answers.map(({ data }) => JSON.stringify(data))).size).toBe(1);
    expect(api.proxy.counts().statements).toBeLessThanOrEqual(3);
  });
});

describe('what is not kept', () => {
  const passes = async (work: () => Promise<{ from: string | null }>) => {
    const before = statistics();
    expect((await work()).from).toBeNull();
    expect((await work()).from).toBeNull();
    expect(statistics()).toMatchObject({ entries: before.entries, hits: before.hits });
    expect(statistics().bypassed).toBe(before.bypassed + 2);
  };

  test('what an account asks, the same text as visitors', async () => {
    const authorization = await api.as(owner);
    await ask(FEED);
    await passes(() => ask(FEED, undefined, { authorization }));
  });

  test('a token that is refused gets no answer from the cache', async () => {
    await ask(FEED);
    const answer = await ask(FEED, undefined, { authorization: 'Bearer nonsense' });
    expect(answer.data).toBeUndefined();
    expect(answer.errors?.[0]?.extensions?.code).toBe('UNAUTHENTICATED');
  });

  test('fields that ask who asks', async () => {
    await passes(() => ask('{ newestProjects { nodes { projectId viewerHasUpvoted } } }'));
    await passes(() => ask('{ currentAccount { id } }'));
    await passes(() =>
      ask('{ newestProjects { nodes { ...f } } } fragment f on FeedProject { viewerHasUpvoted }'),
    );
  });

  test('mutations, in whatever company', async () => {
    await passes(() =>
      ask('mutation { createConversation(input: { topic: "x" }) { result { id } } }'),
    );
    await passes(() =>
      ask('query a { conversations { nodes { id } } } mutation b { __typename }').then(
        (answer) => answer,
      ),
    );
  });

  test('errors', async () => {
    const text = 'query ($n: Int) { conversations(first: $n) { nodes { id } } }';
    expect((await ask(text, { n: 1_000 })).errors).toHaveLength(1);
    expect((await ask(text, { n: 1_000 })).from).toBeNull();
    expect(statistics().entries).toBe(0);
    expect((await ask(text, { n: 1 })).errors).toBeUndefined();
  });
});

describe('by GET', () => {
  const get = (query: string, headers: Record<string, string> = {}) =>
    fetch(`${api.server.url}/graphql?query=${encodeURIComponent(query)}`, {
      headers: { accept: 'application/json', ...headers },
    });

  test('an answer has an ETag, and who has it gets 304', async () => {
    const first = await get(FEED);
    expect(first.status).toBe(200);
    const etag = first.headers.get('etag')!;
    expect(etag).toMatch(/^"[\w-]+"$/);
    expect(first.headers.get('cache-control')).toBe('public, no-cache');
    expect(first.headers.get('vary')).toMatch(/authorization/i);
    const again = await get(FEED, { 'if-none-match': `W/${etag}, "other"` });
    expect(again.status).toBe(304);
    expect(await again.text()).toBe('');
    await api.db.pool.query("update app_public.project set tagline = tagline || '!', title = 'Z'");
    await recompute();
    const changed = await get(FEED, { 'if-none-match': etag });
    expect(changed.status).toBe(200);
    expect(changed.headers.get('etag')).not.toBe(etag);
  });

  test('nothing can be changed', async () => {
    const response = await get('mutation { createGuestAccount(input: {}) { result { id } } }');
    expect(response.status).toBeGreaterThanOrEqual(400);
  });

  test('what an account asks is not for others', async () => {
    const response = await get(FEED, { authorization: await api.as(owner) });
    expect(response.status).toBe(200);
    expect(response.headers.get('cache-control')).toBeNull();
    expect(response.headers.get('etag')).toBeNull();
  });
});

test('the operator can clear it', async () => {
  await ask(FEED);
  expect(statistics().entries).toBe(1);
  await api.server.clearCache();
  expect(statistics()).toMatchObject({ entries: 0, bytes: 0 });
  expect((await ask(FEED)).from).toBe('millrace; fwd=miss');
});
