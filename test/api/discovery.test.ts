import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { settle } from '../discovery/world.ts';
import { startTestApi, type TestApi } from './test-api.ts';

/*
 * Discovery as a client asks for it: every list and page in one round trip to the database, with
 * what the viewer has to do with each row.
 */

let api: TestApi;
let founder: string;
let viewer: string;
let project: string;
let chain: string;

/** The result of a mutation in the name of an account. */
async function call(account: string, mutation: string, input: string, fields = 'id') {
  const answer = await api.query(
    `mutation { ${mutation}(input: { ${input} }) { result { ${fields} } } }`,
    { authorization: await api.as(account) },
  );
  expect(answer.errors).toBeUndefined();
  return answer.data[mutation].result;
}

beforeAll(async () => {
  api = await startTestApi();
  founder = await api.account('Flora');
  viewer = await api.account('Vera');
  const validator = await api.account('Vito');
  await api.db.pool.query(
    "insert into app_private.account_role (account_id, role) values ($1, 'validator')",
    [validator],
  );
  project = (
    await call(
      founder,
      'createProject',
      'title: "Solar kettle", tagline: "Boils by the sun", tags: ["sun"]',
    )
  ).id;
  for (let i = 1; i <= 5; i += 1) {
    await call(founder, 'createProject', `title: "Thing ${i}", description: "A kettle, too"`);
  }
  await call(viewer, 'toggleUpvote', `projectId: ${project}`, 'projectId');
  await call(validator, 'awardBadge', `projectId: ${project}, kind: demo`);
  chain = (await call(founder, 'createChain', 'slug: "kitchen", name: "Kitchen"')).id;
  await call(viewer, 'followChain', `chainId: ${chain}`);
  await call(founder, 'addProjectToChain', `chainId: ${chain}, projectId: ${project}`, 'projectId');
  await call(viewer, 'createChainPost', `chainId: ${chain}, title: "Kettles", content: "Which?"`);
  const comment = await call(
    viewer,
    'createProjectComment',
    `projectId: ${project}, content: "Nice"`,
  );
  await call(
    founder,
    'createProjectComment',
    `projectId: ${project}, content: "Thanks", parentId: ${comment.id}`,
  );
  const investor = await call(
    validator,
    'saveInvestor',
    'name: "Vito invests", stages: [seed], sectors: ["energy"]',
  );
  await call(
    founder,
    'requestIntro',
    `projectId: ${project}, investorId: ${investor.id}, message: "Hello"`,
  );
  await settle(api.db);
});

afterAll(() => api.stop());

/** What the wire saw of the second of two equal requests, and its answer. */
async function secondTime(text: string, account?: string) {
  const options = account === undefined ? {} : { authorization: await api.as(account) };
  await api.query(text, options);
  api.proxy.reset();
  const answer = await api.query(text, options);
  expect(answer.errors).toBeUndefined();
  return { ...api.proxy.counts(), data: answer.data };
}

const FEED = 'nodes { title upvoteCount viewerHasUpvoted ownerName } pageInfo { hasNextPage }';
const REQUESTS: [string, string][] = [
  ['trendingProjects', `{ trendingProjects(first: 2) { ${FEED} } }`],
  ['newestProjects', `{ newestProjects(first: 2) { ${FEED} } }`],
  ['topProjects', `{ topProjects(first: 2) { ${FEED} } }`],
  [
    'search',
    `{ search(query: "kettle", first: 2) {
      nodes { kind title titleHighlight snippet project { upvoteCount viewerHasUpvoted } }
      pageInfo { hasNextPage endCursor }
    } }`,
  ],
  [
    'projectLeaderboard',
    `{ projectLeaderboard(first: 2) { nodes { rank title points viewerHasUpvoted } } }`,
  ],
  ['builderLeaderboard', '{ builderLeaderboard(first: 2) { nodes { rank displayName points } } }'],
  [
    'activeChains',
    '{ activeChains(first: 2) { nodes { name followerCount postCount viewerFollows } } }',
  ],
  ['findInvestors', '{ findInvestors(stage: seed, first: 2) { nodes { name introCount } } }'],
];

describe('round trips to the database', () => {
  test.each(REQUESTS)('%s is one statement, for a visitor', async (_, text) => {
    const seen = await secondTime(text);
    expect(seen).toMatchObject({ statements: 1, roundTrips: 1, parses: 0 });
  });

  test.each(REQUESTS)('%s is its settings and one statement, signed in', async (_, text) => {
    const seen = await secondTime(text, viewer);
    expect(seen).toMatchObject({ statements: 2, roundTrips: 1, parses: 0 });
  });

  test('so are the page of a project, with threads, and that of a chain', async () => {
    const page = await secondTime(
      `{ projectDetail(projectId: ${project}) {
        title description badges chains viewerHasUpvoted
        project { upvoteCount threads(first: 5) {
          nodes { content author { displayName } replies(first: 3) { nodes { content } } }
        } }
      } }`,
      viewer,
    );
    expect(page).toMatchObject({ statements: 2, roundTrips: 1, parses: 0 });
    expect(page.data.projectDetail).toMatchObject({
      title: 'Solar kettle',
      viewerHasUpvoted: true,
      badges: [{ kind: 'demo', points: 10, validatorName: 'Vito' }],
      chains: [{ slug: 'kitchen', name: 'Kitchen' }],
      project: {
        upvoteCount: '1',
        threads: { nodes: [{ content: 'Nice', replies: { nodes: [{ content: 'Thanks' }] } }] },
      },
    });
    const forum = await secondTime(
      `{ chainBySlug(slug: "kitchen") {
        name followerCount viewerFollows
        activePosts(first: 5) { nodes { title authorName replyCount lastActiveAt } }
        projects(first: 5) { nodes { project { title upvoteCount } } }
      } }`,
    );
    expect(forum).toMatchObject({ statements: 1, roundTrips: 1, parses: 0 });
    expect(forum.data.chainBySlug).toMatchObject({
      followerCount: '1',
      viewerFollows: false,
      activePosts: { nodes: [{ title: 'Kettles', authorName: 'Vera', replyCount: '0' }] },
      projects: { nodes: [{ project: { title: 'Solar kettle', upvoteCount: '1' } }] },
    });
  });

  test('and the dashboard, exact at the moment of the request', async () => {
    const dashboard = `{ currentAccount { displayName stats {
      projectCount upvoteCount commentCount badgeCount proofScore followerCount
      unreadMessageCount pendingIntroCount
    } introRequestStats { sentRequestedCount } } }`;
    await call(viewer, 'toggleUpvote', `projectId: ${project}, upvoted: false`, 'projectId');
    const less = await secondTime(dashboard, founder);
    expect(less).toMatchObject({ statements: 2, roundTrips: 1, parses: 0 });
    expect(less.data.currentAccount).toEqual({
      displayName: 'Flora',
      stats: {
        projectCount: '6',
        upvoteCount: '0',
        commentCount: '1',
        badgeCount: '1',
        proofScore: '10',
        followerCount: '1',
        unreadMessageCount: '0',
        pendingIntroCount: '0',
      },
      introRequestStats: { sentRequestedCount: '1' },
    });
    await call(viewer, 'toggleUpvote', `projectId: ${project}, upvoted: true`, 'projectId');
    const more = await secondTime(dashboard, founder);
    expect(more.data.currentAccount.stats.upvoteCount).toBe('1');
  });

  test('an upvote with the exact count too, and two if it goes on from there', async () => {
    const seen = await secondTime(
      `mutation { toggleUpvote(input: { projectId: ${project}, upvoted: true }) {
        result { upvoteCount viewerHasUpvoted }
      } }`,
      viewer,
    );
    expect(seen.data.toggleUpvote.result).toEqual({ upvoteCount: '1', viewerHasUpvoted: true });
    expect(seen).toMatchObject({ statements: 2, roundTrips: 1, parses: 0 });
    const more = await secondTime(
      `mutation { toggleUpvote(input: { projectId: ${project}, upvoted: true }) {
        result { upvoteCount project { title upvoteCount owner { displayName } } }
      } }`,
      viewer,
    );
    expect(more.data.toggleUpvote.result).toEqual({
      upvoteCount: '1',
      project: { title: 'Solar kettle', upvoteCount: '1', owner: { displayName: 'Flora' } },
    });
    expect(more).toMatchObject({ statements: 4, roundTrips: 2, parses: 0 });
  });
});

describe('what the lists say', () => {
  test('in which order, and what the viewer has to do with each row', async () => {
    const { data } = await secondTime(
      `{ topProjects(first: 1) { ${FEED} } newestProjects(first: 2) { nodes { title } }
        trendingProjects(first: 1) { nodes { title } } }`,
      viewer,
    );
    expect(data).toEqual({
      topProjects: {
        nodes: [
          { title: 'Solar kettle', upvoteCount: '1', viewerHasUpvoted: true, ownerName: 'Flora' },
        ],
        pageInfo: { hasNextPage: true },
      },
      newestProjects: { nodes: [{ title: 'Thing 5' }, { title: 'Thing 4' }] },
      trendingProjects: { nodes: [{ title: 'Solar kettle' }] },
    });
  });

  test('ranks, equal for equal points', async () => {
    const { data } = await secondTime(
      `{ projectLeaderboard { nodes { rank points title project { id } } }
        builderLeaderboard { nodes { rank displayName projectCount account { id } } }
        project(id: ${project}) { ranking { rank } } }`,
    );
    expect(data.projectLeaderboard.nodes.map(({ rank }: { rank: string }) => rank)).toEqual([
      '1',
      '2',
      '2',
      '2',
      '2',
      '2',
    ]);
    expect(data.projectLeaderboard.nodes[0]).toEqual({
      rank: '1',
      points: '11',
      title: 'Solar kettle',
      project: { id: project },
    });
    expect(data.builderLeaderboard.nodes).toEqual([
      { rank: '1', displayName: 'Flora', projectCount: '6', account: { id: founder } },
    ]);
    expect(data.project.ranking.rank).toBe('1');
  });

  test('what was found, where, and of which kind', async () => {
    const { data } = await secondTime(
      `{ search(query: "ketle") { nodes { kind titleHighlight snippet project { title } } }
        posts: search(query: "kettles", kinds: [post]) { nodes { kind post { title } project { id } } }
        sun: search(query: "sun ket") { nodes { titleHighlight snippet } } }`,
    );
    expect(data.search.nodes).toContainEqual({
      kind: 'project',
      titleHighlight: 'Solar <mark>kettle</mark>',
      snippet: 'Boils by the sun',
      project: { title: 'Solar kettle' },
    });
    expect(data.posts.nodes).toEqual([{ kind: 'post', post: { title: 'Kettles' }, project: null }]);
    expect(data.sun.nodes).toEqual([
      { titleHighlight: 'Solar <mark>kettle</mark>', snippet: 'Boils by the <mark>sun</mark>' },
    ]);
  });

  test('errors have code, detail and hint', async () => {
    const answer = await api.query(`{ search(query: "${'x'.repeat(201)}") { nodes { id } } }`);
    expect(answer.errors?.[0]?.extensions).toMatchObject({
      code: 'DC026',
      detail: '201 characters',
      hint: expect.stringContaining('200'),
    });
  });
});

describe('pages', () => {
  interface Connection {
    nodes: { id: string }[];
    pageInfo: { hasNextPage: boolean; endCursor: string };
  }

  async function readAll(field: string, id: string, size: number): Promise<string[]> {
    const ids: string[] = [];
    let after = 'null';
    for (;;) {
      const answer = await api.query(
        `{ ${field.replace('()', `(first: ${size}, after: ${after})`).replace('(*', `(first: ${size}, after: ${after}, `)}
          { nodes { id: ${id} } pageInfo { hasNextPage endCursor } } }`,
      );
      expect(answer.errors).toBeUndefined();
      const { nodes, pageInfo } = Object.values(answer.data)[0] as Connection;
      ids.push(...nodes.map((node) => node.id));
      if (!pageInfo.hasNextPage) return ids;
      after = JSON.stringify(pageInfo.endCursor);
    }
  }

  test.each([
    ['trendingProjects()', 'projectId', 6],
    ['newestProjects()', 'projectId', 6],
    ['topProjects()', 'projectId', 6],
    ['projectLeaderboard()', 'projectId', 6],
    ['search(*query: "kettle")', 'id', 7],
  ])('of %s neither overlap nor leave a gap', async (field, id, count) => {
    const all = await readAll(field, id, 100);
    expect(all).toHaveLength(count);
    expect(new Set(all).size).toBe(count);
    expect(await readAll(field, id, 2)).toEqual(all);
  });
});
