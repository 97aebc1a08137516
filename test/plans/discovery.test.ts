import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../api/test-api.ts';
import { explain, nodesOf, type PlanNode } from '../lib/plan.ts';
import { fillDiscovery } from './discovery-rows.ts';

/*
 * The statements that the API really sends, explained and run: which index serves the order, that
 * no table is scanned, that nothing is sorted, and that no more rows are read than are shown.
 */

let api: TestApi;
/** What the login of the API has set that plans depend on. */
let settings: string;

beforeAll(async () => {
  api = await startTestApi();
  await fillDiscovery(api.db);
  const { rows } = await api.db.pool.query<{ settings: string }>(
    `select string_agg(format('set local %s to %L', split_part(s, '=', 1), split_part(s, '=', 2)),
      '; ') as settings
    from pg_db_role_setting, unnest(setconfig) s
    where setrole = 'app_authenticator'::regrole and s like '%\\_cost=%'`,
  );
  settings = rows[0]?.settings ?? '';
  expect(settings).toContain('random_page_cost');
}, 300_000);

afterAll(() => api.stop());

interface Seen {
  nodes: PlanNode[];
  /** Tables of the application that were scanned from end to end, by functions too. */
  scanned: string[];
}

/** Explains and runs the statement that the API sends for a request. */
async function see(
  query: string,
  values: unknown[] = [],
  account: string | null = null,
): Promise<Seen> {
  const authorization = account === null ? undefined : await api.as(account);
  api.proxy.reset();
  const answer = await api.query(query, authorization === undefined ? {} : { authorization });
  expect(answer.errors).toBeUndefined();
  // The host asks for the plan of what was slow, too.
  const texts = api.proxy
    .counts()
    .texts.filter((text) => !/^(select set_config|explain )/.test(text));
  expect(texts, texts.join(';\n')).toHaveLength(1);
  const statement = texts[0]?.replace(/;\s*$/, '') as string;
  const run = async (client: pg.ClientBase): Promise<Seen> => {
    let nodes: PlanNode[] = [];
    await client.query(settings);
    const scanned = await scannedBy(client, async () => {
      nodes = nodesOf(await explain(client, statement, values));
    });
    return { nodes, scanned };
  };
  return account === null ? await api.db.asAnonymous(run) : await api.db.asAccount(account, run);
}

/** The tables of the application that `work` has scanned from end to end, by functions too. */
async function scannedBy(client: pg.ClientBase, work: () => Promise<unknown>): Promise<string[]> {
  const count = async () => {
    // What earlier transactions of the connection have done may be in these counts.
    const { rows } = await client.query<{ name: string; scans: number }>(
      `select schemaname || '.' || relname as name, coalesce(seq_scan, 0)::int as scans
      from pg_stat_xact_user_tables t
      where schemaname like 'app\\_%'
        and (select reltuples > 0 from pg_class c where c.oid = t.relid)`,
    );
    return new Map(rows.map(({ name, scans }) => [name, scans]));
  };
  const before = await count();
  await work();
  return [...(await count())]
    .filter(([name, scans]) => scans > (before.get(name) ?? 0))
    .map(([name]) => name);
}

/** The rows that the scans of an index have given. */
function rowsOf(seen: Seen, index: string): number {
  return seen.nodes
    .filter((node) => node['Index Name'] === index)
    .reduce((sum, node) => sum + node['Actual Rows'] * node['Actual Loops'], 0);
}

const sorts = (seen: Seen) =>
  seen.nodes
    .filter((node) => /Sort/.test(node['Node Type']))
    .map((node) => `${node['Node Type']} ${node['Actual Rows']}`);

describe('lists', () => {
  const FEED = 'nodes { title upvoteCount viewerHasUpvoted } pageInfo { hasNextPage endCursor }';
  interface List {
    field: string;
    nodes: string;
    index: string;
    /** The columns of the order, and where they are: a later page goes on from the middle. */
    key: [string, string];
    relation: string;
    direction?: 'asc';
  }
  const feed = (field: string, column: string): List => ({
    field,
    nodes: FEED,
    index: `feed_project_${column}_idx`,
    key: [column, 'project_id'],
    relation: 'app_public.feed_project',
  });
  const chains = (field: string, column: string): List => ({
    field,
    nodes: 'nodes { name followerCount viewerFollows } pageInfo { hasNextPage endCursor }',
    index: `chain_discovery_${column}_idx`,
    key: [column, 'chain_id'],
    relation: 'app_public.chain_discovery',
  });
  const LISTS: List[] = [
    feed('trendingProjects', 'trending_score'),
    feed('newestProjects', 'created_at'),
    feed('topProjects', 'upvote_count'),
    chains('activeChains', 'activity_score'),
    chains('newestChains', 'created_at'),
    chains('popularChains', 'follower_count'),
    {
      field: 'projectLeaderboard',
      nodes: 'nodes { rank title viewerHasUpvoted } pageInfo { hasNextPage endCursor }',
      index: 'leaderboard_project_rank_idx',
      key: ['rank', 'project_id'],
      relation: 'app_private.leaderboard_project',
      direction: 'asc',
    },
    {
      field: 'builderLeaderboard',
      nodes: 'nodes { rank displayName points } pageInfo { hasNextPage endCursor }',
      index: 'leaderboard_builder_rank_idx',
      key: ['rank', 'account_id'],
      relation: 'app_private.leaderboard_builder',
      direction: 'asc',
    },
    {
      field: 'findInvestors',
      nodes: 'nodes { name introCount } pageInfo { hasNextPage endCursor }',
      index: 'investor_directory_intro_count_idx',
      key: ['intro_count', 'investor_id'],
      relation: 'app_public.investor_directory',
    },
  ];

  /** The values of a cursor in the middle of a list. */
  async function middleOf(list: List): Promise<string[]> {
    const [first, second] = list.key;
    const order = list.direction ?? 'desc';
    const { rows } = await api.db.pool.query(
      `select ${first}::text as a, ${second}::text as b from ${list.relation}
      order by ${first} ${order}, ${second} ${order}
      offset (select count(*) / 2 from ${list.relation}) limit 1`,
    );
    return [rows[0].a, rows[0].b];
  }

  describe.each(LISTS.map((list) => [list.field, list] as const))('%s', (field, list) => {
    it.each([
      ['a visitor', null],
      ['an account', '1'],
    ] as const)('first page, for %s: a range of one index', async (_, account) => {
      const seen = await see(`{ ${field}(first: 10) { ${list.nodes} } }`, [], account);
      expect(seen.scanned).toEqual([]);
      expect(sorts(seen)).toEqual([]);
      expect(rowsOf(seen, list.index)).toBe(11);
    });

    it('later page: it goes on in the middle of the index', async () => {
      const first = await api.query(`{ ${field}(first: 1) { pageInfo { endCursor } } }`);
      const { endCursor } = first.data[field].pageInfo;
      const seen = await see(
        `{ ${field}(first: 10, after: "${endCursor}") { ${list.nodes} } }`,
        await middleOf(list),
      );
      expect(seen.scanned).toEqual([]);
      expect(sorts(seen)).toEqual([]);
      expect(rowsOf(seen, list.index)).toBe(11);
    });
  });

  it('investors at a stage: the same order, from which the page takes its own', async () => {
    const seen = await see('{ findInvestors(stage: seed, first: 10) { nodes { name } } }', [
      'seed',
    ]);
    expect(seen.scanned).toEqual([]);
    expect(sorts(seen)).toEqual([]);
    expect(rowsOf(seen, 'investor_directory_intro_count_idx')).toBe(10);
  });
});

describe('pages', () => {
  it('of a project: look-ups by key, threads and replies by their indexes', async () => {
    const { rows } = await api.db.pool.query(
      `select project_id as id from app_public.project_comment
      group by 1 order by count(*) desc limit 1`,
    );
    const seen = await see(
      `{ projectDetail(projectId: ${rows[0].id}) {
        title badges chains viewerHasUpvoted
        project { upvoteCount commentCount threads(first: 10) {
          nodes { content replyCount author { displayName } replies(first: 5) { nodes { content } } }
        } }
      } }`,
      [rows[0].id],
      '1',
    );
    expect(seen.scanned).toEqual([]);
    expect(sorts(seen)).toEqual([]);
    expect(rowsOf(seen, 'project_details_pkey')).toBe(1);
    expect(rowsOf(seen, 'project_comment_project_id_thread_idx')).toBe(10);
  });

  it('of a chain: posts and projects by their indexes', async () => {
    const seen = await see(
      `{ chainBySlug(slug: "chain-1") {
        name viewerFollows
        activePosts(first: 10) { nodes { title replyCount } }
        newestPosts(first: 10) { nodes { title } }
        projects(first: 10) { nodes { project { title } } }
      } }`,
      ['chain-1'],
      '1',
    );
    expect(seen.scanned).toEqual([]);
    expect(sorts(seen)).toEqual([]);
    expect(rowsOf(seen, 'chain_post_feed_chain_id_active_idx')).toBe(10);
    expect(rowsOf(seen, 'chain_post_feed_chain_id_new_idx')).toBe(10);
    expect(rowsOf(seen, 'chain_project_chain_id_added_at_idx')).toBe(10);
  });

  it('of an account: its projects and chains', async () => {
    const seen = await see(
      `{ account(id: 1) { displayName upvoteCount proofScore ranking { rank }
        projects(first: 5) { nodes { title } } chains(first: 5) { nodes { name } } } }`,
      ['1'],
    );
    expect(seen.scanned).toEqual([]);
    expect(sorts(seen)).toEqual([]);
    expect(rowsOf(seen, 'project_owner_id_idx')).toBe(5);
  });

  it('the dashboard: everything by key', async () => {
    const seen = await see(
      `{ currentAccount { stats { projectCount chainCount commentCount upvoteCount badgeCount
        proofScore followerCount unreadMessageCount pendingIntroCount } } }`,
      [],
      '1',
    );
    expect(seen.scanned).toEqual([]);
    // Of the keys that wait to be recomputed, and of what is the viewer's.
    expect(sorts(seen).filter((sort) => !/ [01]$/.test(sort))).toEqual([]);
  });

  it.each([
    ['upvotedProjects(first: 5) { nodes { project { title } } }', 'project_upvote_account_id_idx'],
    ['followedChains(first: 5) { nodes { chain { name } } }', 'chain_follow_account_id_idx'],
  ])('what is the viewer’s own: %s', async (field, index) => {
    const seen = await see(`{ ${field} }`, [], '1');
    expect(seen.scanned).toEqual([]);
    expect(sorts(seen)).toEqual([]);
    expect(rowsOf(seen, index)).toBe(5);
  });

  it.each([
    ['sentIntroRequests', 'requester_id'],
    ['receivedIntroRequests', 'recipient_id'],
  ])('the viewer’s %s: at most their own are read', async (field, column) => {
    const { rows } = await api.db.pool.query(
      `select ${column} as id, count(*)::int as own from app_public.intro_request
      group by 1 order by 2 desc limit 1`,
    );
    expect(rows[0].own).toBeGreaterThan(5);
    const seen = await see(
      `{ ${field}(first: 5) { nodes { message requester { displayName } } } }`,
      [],
      rows[0].id,
    );
    expect(seen.scanned).toEqual([]);
    expect(rowsOf(seen, `intro_request_${column}_idx`)).toBeLessThanOrEqual(rows[0].own);
  });
});

describe('search', () => {
  const RESULT =
    'nodes { kind titleHighlight snippet project { viewerHasUpvoted } person { displayName } }';

  it.each([
    ['a word', 'kettle', null],
    ['two words', 'solar garden', null],
    ['the beginning of a word', 'gla', null],
    ['one letter', 's', null],
    ['typos', 'kettel roboot', null],
    ['nothing', 'xyzzy', null],
    ['a kind', 'kettle', 'post'],
  ])('for %s scans no table and sorts no more than 200 results', async (_, query, kind) => {
    const kinds = kind === null ? '' : `, kinds: [${kind}]`;
    for (const account of [null, '1']) {
      const seen = await see(
        `{ search(query: "${query}"${kinds}, first: 10) { ${RESULT} } }`,
        kind === null ? [query] : [query, [kind]],
        account,
      );
      expect(seen.scanned).toEqual([]);
      const [results] = seen.nodes.filter((node) => node['Function Name'] === 'search');
      expect(results?.['Actual Rows']).toBeLessThanOrEqual(200);
      expect(sorts(seen)).toHaveLength(1);
      if (query === 'xyzzy') expect(results?.['Actual Rows']).toBe(0);
      else expect(results?.['Actual Rows']).toBeGreaterThan(0);
    }
  });

  it('a table that is scanned is seen', async () => {
    const seen = await api.db.asAnonymous((client) =>
      scannedBy(client, async () => {
        await client.query("select app_public.search('kettle')");
        await client.query("select count(*) from app_hidden.search_index where title ~ 'x'");
      }),
    );
    expect(seen).toEqual(['app_hidden.search_index']);
  });
});

describe('what is derived', () => {
  it.each([
    ['app_private.feed_project_definition', 'project_id = 7'],
    ['app_private.project_details_definition', 'project_id = 7'],
    ['app_private.chain_discovery_definition', 'chain_id = 7'],
    ['app_private.chain_post_feed_definition', 'post_id = 7'],
    ['app_private.investor_directory_definition', 'investor_id = 7'],
    ['app_private.intro_request_stats_definition', 'account_id = 7'],
    ['app_private.search_index_definition', "kind = 'post' and subject_id = 7"],
  ])('for one key is look-ups: %s', async (definition, key) => {
    const scanned = await api.db.asOwner((client) =>
      scannedBy(client, () => client.query(`select * from ${definition} where ${key}`)),
    );
    expect(scanned).toEqual([]);
  });
});
