import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startTestApi, type TestApi } from './test-api.ts';

/*
 * The numbers that DESIGN promises, counted on the wire. Every request is made twice: the first
 * opens the connection and prepares its statements.
 */

const CONVERSATION = `query ($id: BigInt!) {
  conversation(id: $id) {
    topic voteCount participantCount
    owner { displayName }
    newOpinions(first: 10) {
      nodes { content agreeCount disagreeCount author { displayName } }
      pageInfo { hasNextPage endCursor }
    }
  }
}`;

const CAST = `mutation ($opinion: BigInt!) {
  castVote(input: { opinionId: $opinion, choice: agree }) {
    result { choice opinion { agreeCount conversation { voteCount participantCount } } }
  }
}`;

let api: TestApi;
let owner: string;
let conversation: string;
let opinion: string;

beforeAll(async () => {
  api = await startTestApi();
  owner = await api.account('Owner');
  const authorization = await api.as(owner);
  const made = await api.query(
    'mutation { createConversation(input: { topic: "Trams" }) { result { id } } }',
    { authorization },
  );
  conversation = made.data.createConversation.result.id;
  const spoken = await api.query(
    `mutation ($id: BigInt!) {
      createOpinion(input: { conversationId: $id, content: "More of them" }) { result { id } }
    }`,
    { authorization, variables: { id: conversation } },
  );
  opinion = spoken.data.createOpinion.result.id;
});

afterAll(() => api.stop());

/** What the wire saw of the second of two equal requests. */
async function secondTime(text: string, options: Parameters<TestApi['query']>[1] = {}) {
  await api.query(text, options);
  api.proxy.reset();
  const answer = await api.query(text, options);
  expect(answer.errors).toBeUndefined();
  return { ...api.proxy.counts(), data: answer.data };
}

describe('round trips to the database', () => {
  beforeEach(() => api.proxy.reset());

  test('an anonymous read is one prepared statement in one round trip', async () => {
    const seen = await secondTime(CONVERSATION, { variables: { id: conversation } });
    expect(seen.data.conversation.newOpinions.nodes).toHaveLength(1);
    expect(seen.texts).toHaveLength(1);
    expect(seen).toMatchObject({ statements: 1, roundTrips: 1, parses: 0 });
  });

  test('so is the first one on an open connection', async () => {
    await api.query('{ conversation(id: 1) { id } }');
    api.proxy.reset();
    await api.query('{ conversation(id: 1) { id topic } }');
    expect(api.proxy.counts()).toMatchObject({ statements: 1, roundTrips: 1, parses: 1 });
  });

  test('an authenticated read is its settings and its statement in one round trip', async () => {
    const authorization = await api.as(owner);
    const seen = await secondTime(CONVERSATION, { variables: { id: conversation }, authorization });
    expect(seen).toMatchObject({ statements: 2, roundTrips: 1, parses: 0 });
    expect(seen.texts[0]).toMatch(/^select set_config/);
  });

  test('what a request asks for side by side goes out together', async () => {
    const text = '{ a: conversation(id: 1) { voteCount } b: conversations { nodes { id } } }';
    const anonymous = await secondTime(text);
    expect(anonymous).toMatchObject({ statements: 2, roundTrips: 1, parses: 0 });
    const signedIn = await secondTime(text, { authorization: await api.as(owner) });
    expect(signedIn).toMatchObject({ statements: 3, roundTrips: 1, parses: 0 });
  });

  test('a mutation with exact counters of what it changed takes two round trips', async () => {
    const voter = await api.account('Voter');
    const seen = await secondTime(CAST, {
      variables: { opinion },
      authorization: await api.as(voter),
    });
    expect(seen.data.castVote.result.opinion.agreeCount).toBe('2');
    expect(seen).toMatchObject({ roundTrips: 2, parses: 0 });
  });

  test('so does one that asks for several things that hang on it', async () => {
    const seen = await secondTime(
      `mutation ($opinion: BigInt!) {
        castVote(input: { opinionId: $opinion, choice: agree }) {
          result {
            voter { displayName }
            opinion { agreeCount conversation { owner { displayName } opinions { nodes { id } } } }
          }
        }
      }`,
      { variables: { opinion }, authorization: await api.as(owner) },
    );
    expect(seen.data.castVote.result.voter.displayName).toBe('Owner');
    expect(seen.data.castVote.result.opinion.conversation.opinions.nodes).toHaveLength(1);
    expect(seen).toMatchObject({ statements: 5, roundTrips: 2, parses: 0 });
  });

  test('a mutation that asks for its own row only takes one', async () => {
    const seen = await secondTime(
      `mutation ($opinion: BigInt!) {
        castVote(input: { opinionId: $opinion, choice: disagree }) { result { choice } }
      }`,
      { variables: { opinion }, authorization: await api.as(owner) },
    );
    expect(seen).toMatchObject({ statements: 2, roundTrips: 1 });
  });

  test('an error takes no more than success', async () => {
    const authorization = await api.as(owner);
    const cast =
      'mutation { castVote(input: { opinionId: 0, choice: agree }) { result { choice } } }';
    await api.query(cast, { authorization });
    api.proxy.reset();
    const answer = await api.query(cast, { authorization });
    expect(answer.errors).toHaveLength(1);
    expect(api.proxy.counts()).toMatchObject({ statements: 2, roundTrips: 1 });
  });

  test('/healthz sends nothing, /readyz one statement', async () => {
    expect(await (await fetch(`${api.server.url}/healthz`)).json()).toEqual({ status: 'ok' });
    expect(api.proxy.counts().statements).toBe(0);
    const ready = await fetch(`${api.server.url}/readyz`);
    expect(await ready.json()).toMatchObject({ checks: { database: true }, failed: 0 });
    expect(api.proxy.counts()).toMatchObject({ statements: 1, roundTrips: 1 });
  });
});

test('the proxy counts what a client does that waits in between', async () => {
  const { default: pg } = await import('pg');
  const client = new pg.Client({ connectionString: api.proxy.connectionString });
  await client.connect();
  api.proxy.reset();
  await client.query('begin');
  await client.query("select set_config('app.account_id', $1, true)", ['1']);
  await client.query('select 1');
  await client.query('commit');
  expect(api.proxy.counts()).toMatchObject({ statements: 4, roundTrips: 4 });
  await client.end();
});
