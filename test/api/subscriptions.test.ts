import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, createClient } from 'graphql-ws';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { issueToken } from '../../scripts/lib/jwt.ts';
import { startTestApi, type TestApi } from './test-api.ts';

/* Subscriptions over a web socket, as a client has them; drains are called by the test. */

let api: TestApi;
let voter: string;
let conversation: string;
let opinion: string;

beforeAll(async () => {
  api = await startTestApi({ poolSize: 4 });
  voter = await api.account('Vera');
  const { rows } = await api.db.pool.query<{ conversation: string; opinion: string }>(
    `with c as (
       insert into app_public.conversation (owner_id, topic) values ($1, 'Bees') returning id
     ), o as (
       insert into app_public.opinion (conversation_id, author_id, content)
       select c.id, $1, 'More flowers' from c returning id, conversation_id
     )
     select o.conversation_id as conversation, o.id as opinion from o`,
    [voter],
  );
  conversation = rows[0]!.conversation;
  opinion = rows[0]!.opinion;
  await api.db.pool.query('select millrace.drain()');
});

afterAll(async () => {
  await api.stop();
});

function connect(connectionParams: Record<string, unknown> = {}): Client {
  return createClient({
    url: `${api.server.url.replace('http', 'ws')}/graphql`,
    connectionParams,
    retryAttempts: 0,
  });
}

/** The events of a subscription, one by one. */
function follow(client: Client, query: string, variables: Record<string, unknown> = {}) {
  const events = client.iterate<Record<string, never>>({ query, variables });
  return {
    async next() {
      const { value } = (await events.next()) as {
        // biome-ignore lint/suspicious/noExplicitAny: what a test asked for is what it gets.
        value: { data?: any; errors?: { message: string }[] };
      };
      return value;
    },
    end: () => events.return?.(undefined),
  };
}

let votes = 100;
async function vote(): Promise<void> {
  votes += 1;
  await api.db.pool.query(
    `with a as (insert into app_public.account (display_name) values ('V' || $3) returning id)
     insert into app_public.opinion_vote (opinion_id, conversation_id, voter_id, choice)
     select $1, $2, a.id, 'agree' from a`,
    [opinion, conversation, votes],
  );
}

const CONVERSATION = `subscription ($id: BigInt!) {
  conversation(id: $id) { conversation { id voteCount } }
}`;

describe('a subscription to a conversation', () => {
  test('begins with the present counts and has one event for each drain, exact', async () => {
    const client = connect();
    const events = follow(client, CONVERSATION, { id: conversation });
    const first = await events.next();
    const before = Number(first.data.conversation.conversation.voteCount);
    for (let i = 0; i < 5; i += 1) await vote();
    await api.db.pool.query('select millrace.drain()');
    const second = await events.next();
    expect(second.data.conversation.conversation).toEqual({
      id: conversation,
      voteCount: String(before + 5),
    });
    await vote();
    await api.db.pool.query('select millrace.drain()');
    const third = await events.next();
    expect(third.data.conversation.conversation.voteCount).toBe(String(before + 6));
    await events.end();
    await client.dispose();
  });

  test('is not disturbed by other conversations', async () => {
    const client = connect();
    const events = follow(client, CONVERSATION, { id: conversation });
    await events.next();
    await api.db.pool.query(
      `select pg_notify('millrace', '{"relation":"app_public.conversation","keys":[[424242]]}')`,
    );
    await vote();
    await api.db.pool.query('select millrace.drain()');
    const next = await events.next();
    const { rows } = await api.db.pool.query<{ n: string }>(
      'select app_public.conversation_vote_count(c) as n from app_public.conversation c where id = $1',
      [conversation],
    );
    // The one event that comes is that of the vote.
    expect(next.data.conversation.conversation.voteCount).toBe(rows[0]!.n);
    await events.end();
    await client.dispose();
  });

  test('gives null for one that does not exist', async () => {
    const client = connect();
    const events = follow(client, CONVERSATION, { id: '9999999' });
    expect((await events.next()).data).toEqual({ conversation: { conversation: null } });
    await events.end();
    await client.dispose();
  });

  test('goes on after the listening connection was lost: anything may have changed', async () => {
    const client = connect();
    const events = follow(client, CONVERSATION, { id: conversation });
    const first = await events.next();
    const before = Number(first.data.conversation.conversation.voteCount);
    // While nobody listens a vote is cast and drained: that announcement is missed for good.
    const admin = new pg.Client({ connectionString: api.db.connectionString });
    await admin.connect();
    const killed = await admin.query(
      `select pg_terminate_backend(pid, 5000) from pg_stat_activity
       where application_name = 'millrace announcements' and datname = current_database()`,
    );
    await admin.end();
    expect(killed.rowCount).toBe(1);
    await vote();
    await api.db.pool.query('select millrace.drain()');
    let seen = before;
    while (seen < before + 1) {
      seen = Number((await events.next()).data.conversation.conversation.voteCount);
    }
    expect(seen).toBe(before + 1);
    await events.end();
    await client.dispose();
  });
});

describe('a subscription to the feed', () => {
  test('tells which projects changed', async () => {
    const { rows } = await api.db.pool.query<{ id: string }>(
      `insert into app_public.project (owner_id, title, tagline) values ($1, 'Hive', 'For bees')
       returning id`,
      [voter],
    );
    const client = connect();
    const events = follow(client, 'subscription { feed { projectIds } }');
    expect((await events.next()).data).toEqual({ feed: { projectIds: null } });
    await api.db.pool.query("select millrace.run_now('app_public.feed_project')");
    expect((await events.next()).data).toEqual({ feed: { projectIds: [rows[0]!.id] } });
    await events.end();
    await client.dispose();
  });
});

describe('identity', () => {
  test('a bad token is refused', async () => {
    const client = connect({ Authorization: 'Bearer nonsense' });
    await expect(follow(client, CONVERSATION, { id: conversation }).next()).rejects.toBeDefined();
    await client.dispose();
  });

  test('the socket ends with its token', async () => {
    const token = await issueToken(api.key, { accountId: voter, role: 'account', lifetime: 2 });
    const client = connect({ authorization: `Bearer ${token}` });
    const closed = new Promise<number>((resolve) => {
      client.on('closed', (event) => resolve((event as { code: number }).code));
    });
    const events = follow(client, CONVERSATION, { id: conversation });
    expect((await events.next()).data.conversation.conversation.id).toBe(conversation);
    const rest = events.next().catch(() => undefined);
    expect(await closed).toBe(4403);
    await rest;
    await client.dispose();
  });

  test('the limits of requests hold for sockets', async () => {
    const client = connect();
    const aliases = Array.from({ length: 40 }, (_, i) => `a${i}: conversation { voteCount }`);
    const query = `subscription { conversation(id: "1") { ${aliases.join(' ')} } }`;
    await expect(follow(client, query).next()).rejects.toBeDefined();
    await client.dispose();
  });
});

test('a server that stops ends its subscriptions', async () => {
  const other = await startTestApi({ poolSize: 1 });
  const client = createClient({
    url: `${other.server.url.replace('http', 'ws')}/graphql`,
    retryAttempts: 0,
  });
  const events = follow(client, 'subscription { feed { projectIds } }');
  await events.next();
  const rest = events.next().catch(() => undefined);
  const stopped = other.stop();
  await rest;
  await stopped;
  await client.dispose();
  await sleep(0);
});
