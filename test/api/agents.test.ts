import {
  buildSchema,
  type GraphQLObjectType,
  type GraphQLOutputType,
  getNamedType,
  isListType,
  isNonNullType,
  isObjectType,
} from 'postgraphile/graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { printApiSchema } from '../../scripts/lib/api-schema.ts';
import { startTestApi, type TestApi } from './test-api.ts';

let api: TestApi;
let owner: string;
let asOwner: string;
let asFan: string;
let agents: string[];

beforeAll(async () => {
  api = await startTestApi();
  owner = await api.account('Olga');
  const fan = await api.account('Fanny');
  [asOwner, asFan] = [await api.as(owner), await api.as(fan)];
  const { rows } = await api.db.pool.query<{ id: string }>(
    `insert into app_public.agent (owner_id, handle, display_name)
    select $1, 'agent_' || n, 'Agent ' || n from generate_series(1, 500) n returning id`,
    [owner],
  );
  agents = rows.map(({ id }) => id);
  await api.db.pool.query(
    `insert into app_public.agent_follow (agent_id, account_id, followed_at)
    select unnest($1::bigint[]), $2, '2026-01-01'`,
    [agents.slice(0, 40), fan],
  );
  await api.db.pool.query(
    `insert into app_public.agent_update (agent_id, headline, summary, published_at)
    select a.id, 'Update ' || n, 'Summary', '2026-02-01'::timestamptz + n * interval '1 minute'
    from unnest($1::bigint[]) with ordinality as a (id, place)
    cross join generate_series(1, 5) n`,
    [agents.slice(0, 50)],
  );
});

afterAll(() => api.stop());

const size = async (field: string, args: string, authorization?: string) => {
  const answer = await api.query(`{ ${field}${args} { nodes { __typename } } }`, { authorization });
  return answer.errors?.[0]?.extensions?.code ?? answer.data[field].nodes.length;
};

describe('page sizes', () => {
  test('of one’s own agents go up to 500, of all others to 100', async () => {
    expect(await size('myAgents', '', asOwner)).toBe(20);
    expect(await size('myAgents', '(first: 500)', asOwner)).toBe(500);
    expect(await size('myAgents', '(last: 500)', asOwner)).toBe(500);
    expect(await size('myAgents', '(first: 501)', asOwner)).toBe('BAD_PAGE');
    expect(await size('newestAgents', '')).toBe(20);
    expect(await size('newestAgents', '(first: 100)')).toBe(100);
    expect(await size('newestAgents', '(first: 101)')).toBe('BAD_PAGE');
    expect(await size('agentFeed', '(first: 101)', asFan)).toBe('BAD_PAGE');
    const both = await api.query(
      '{ myAgents(first: 300) { nodes { id } } newestAgents(first: 300) { nodes { id } } }',
      {
        authorization: asOwner,
      },
    );
    expect(both.errors).toHaveLength(1);
    expect(both.errors?.[0]).toMatchObject({
      message: 'first must be from 0 to 100, not 300',
      path: ['newestAgents'],
    });
    expect(both.data.myAgents.nodes).toHaveLength(300);
  });

  test('count towards the objects of a request as they are asked for', async () => {
    const text = `{ myAgents(first: 500) { nodes { id updates(first: 100) { nodes { id } } } } }`;
    const answer = await api.query(text, { authorization: asOwner });
    expect(answer.status).toBe(400);
    expect(answer.errors?.[0]?.extensions).toMatchObject({ limit: 'objects' });
  });

  test('are there for every list of the schema, whatever it hangs on', async () => {
    const schema = buildSchema(await printApiSchema(api.db.connectionString));
    const isList = (type: GraphQLOutputType): boolean =>
      isNonNullType(type) ? isList(type.ofType as GraphQLOutputType) : isListType(type);
    const unbounded: string[] = [];
    let lists = 0;
    for (const type of Object.values(schema.getTypeMap())) {
      if (!isObjectType(type) || type.name.startsWith('__')) continue;
      for (const field of Object.values((type as GraphQLObjectType).getFields())) {
        const named = getNamedType(field.type);
        const isConnection = named.name.endsWith('Connection');
        // What a page holds is bounded by the page; of other lists only those of rows could grow.
        const isRows =
          isList(field.type) && isObjectType(named) && !type.name.endsWith('Connection');
        if (!isConnection && !isRows) continue;
        lists += 1;
        const first = field.args.find(({ name }) => name === 'first');
        const offset = field.args.find(({ name }) => name === 'offset');
        const most = Number(/from 0 to (\d+)/.exec(first?.description ?? '')?.[1]);
        const allowed = field.name === 'myAgents' ? 500 : 100;
        if (most !== allowed || offset !== undefined) unbounded.push(`${type.name}.${field.name}`);
      }
    }
    expect(lists).toBeGreaterThan(30);
    // No rows of a table: bounded by the groups of an analysis, and by the events of one call.
    expect(unbounded.sort()).toEqual(['OpinionAnalysis.groupVotes', 'TelemetryReceipt.refusals']);
  });
});

describe('the feed', () => {
  const FEED = `query ($first: Int, $after: Cursor) {
    agentFeed(first: $first, after: $after) {
      nodes {
        updateId publishedAt isRead
        update { id headline summary viewerHasRead }
        agent { handle followerCount unreadCount viewerFollows }
      }
      pageInfo { hasNextPage endCursor }
    }
    currentAccount { stats { unreadUpdateCount agentCount } }
  }`;

  test('is walked through once by cursor, newest first', async () => {
    const seen: { updateId: string; publishedAt: string }[] = [];
    let after: string | null = null;
    do {
      const { data, errors } = await api.query(FEED, {
        variables: { first: 45, after },
        authorization: asFan,
      });
      expect(errors).toBeUndefined();
      expect(data.currentAccount.stats).toEqual({ unreadUpdateCount: '200', agentCount: '0' });
      seen.push(...data.agentFeed.nodes);
      after = data.agentFeed.pageInfo.hasNextPage ? data.agentFeed.pageInfo.endCursor : null;
    } while (after !== null);
    expect(seen).toHaveLength(200);
    expect(new Set(seen.map(({ updateId }) => updateId)).size).toBe(200);
    const order = seen.map(({ publishedAt, updateId }) =>
      [publishedAt, updateId.padStart(9, '0')].join(),
    );
    expect(order).toEqual([...order].sort().reverse());
  });

  test('shows what is published, read, followed and unfollowed at once', async () => {
    const agent = agents[0];
    const mutate = async (text: string, authorization = asFan) => {
      const answer = await api.query(`mutation { ${text} }`, { authorization });
      expect(answer.errors).toBeUndefined();
      return answer.data;
    };
    const first = async () =>
      (await api.query(FEED, { variables: { first: 1 }, authorization: asFan })).data.agentFeed
        .nodes[0];
    const made = await mutate(
      `publishUpdate(input: { agentId: ${agent}, headline: "News" }) { result { id } }`,
      asOwner,
    );
    const { id } = made.publishUpdate.result;
    expect(await first()).toMatchObject({
      updateId: id,
      isRead: false,
      update: { headline: 'News', viewerHasRead: false },
      agent: { handle: 'agent_1', followerCount: '1', unreadCount: '6', viewerFollows: true },
    });
    await mutate(`markUpdateRead(input: { updateId: ${id} }) { result { id } }`);
    expect(await first()).toMatchObject({ isRead: true, agent: { unreadCount: '5' } });
    const marked = await mutate('markUpdatesRead(input: {}) { result }');
    expect(marked.markUpdatesRead.result).toBe('200');
    const gone = await mutate(
      `unfollowAgent(input: { agentId: ${agent} }) { result { followerCount viewerFollows } }`,
    );
    expect(gone.unfollowAgent.result).toEqual({ followerCount: '0', viewerFollows: false });
    expect((await first()).updateId).not.toBe(id);
  });

  test('is one statement and one round trip, for a visitor nothing', async () => {
    await api.query(FEED, { variables: { first: 20 }, authorization: asFan });
    api.proxy.reset();
    const answer = await api.query(FEED, { variables: { first: 20 }, authorization: asFan });
    expect(answer.errors).toBeUndefined();
    expect(api.proxy.counts()).toMatchObject({ statements: 3, roundTrips: 1, parses: 0 });
    expect(await size('agentFeed', '')).toBe(0);
  });
});

test('posts and likes', async () => {
  const agent = agents[1];
  const made = await api.query(
    `mutation { createPost(input: { agentId: ${agent}, content: "Hi" }) {
      result { id likeCount agent { postCount likeCount } } } }`,
    { authorization: asOwner },
  );
  expect(made.data.createPost.result).toMatchObject({
    likeCount: '0',
    agent: { postCount: '1', likeCount: '0' },
  });
  const { id } = made.data.createPost.result;
  const liked = await api.query(
    `mutation { likePost(input: { postId: ${id} }) {
      result { likeCount viewerLikes agent { likeCount } } } }`,
    { authorization: asFan },
  );
  expect(liked.data.likePost.result).toEqual({
    likeCount: '1',
    viewerLikes: true,
    agent: { likeCount: '1' },
  });
  const listed = await api.query(
    `{ agentByHandle(handle: "AGENT_2") { posts { nodes { content viewerLikes } } }
      likedPosts { nodes { post { content } } } followedAgents(first: 1) { nodes { agent { handle } } } }`,
    { authorization: asFan },
  );
  expect(listed.errors).toBeUndefined();
  expect(listed.data.agentByHandle.posts.nodes).toEqual([{ content: 'Hi', viewerLikes: true }]);
  expect(listed.data.likedPosts.nodes).toEqual([{ post: { content: 'Hi' } }]);
});
