import fc from 'fast-check';
import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createAccount, one } from '../deliberation/community.ts';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';
import { createSmallWorld, renaming, statement } from './statements.ts';
import { caller, createWorld, settle, type World } from './world.ts';

/* The derived relations: what they hold, for whom, and that they hold it after whatever happens. */

const commit = { commit: true };
const RELATIONS = [
  'app_public.intro_request_stats',
  'app_public.feed_project',
  'app_public.chain_discovery',
  'app_public.chain_post_feed',
  'app_public.investor_directory',
  'app_public.project_details',
  'app_private.leaderboard_project',
  'app_private.leaderboard_builder',
  'app_hidden.search_index',
];
const INCREMENTAL = RELATIONS.filter((name) => !name.includes('leaderboard'));
const LIVE = INCREMENTAL.map((name) => `${name}_live`);
const definitionOf = (relation: string) =>
  `app_private.${relation.replace(/^.*\./, '')}_definition`;

/** Asserts that a relation holds the rows of its definition, no others, each as often. */
async function expectDefined(client: pg.ClientBase | pg.Pool, relation: string): Promise<void> {
  const definition = definitionOf(relation);
  const { rows } = await client.query(
    `(select 'missing' as fault, to_jsonb(d) as row from (
      select * from ${definition} except all select * from ${relation}) d)
    union all
    (select 'surplus', to_jsonb(d) from (
      select * from ${relation} except all select * from ${definition}) d)`,
  );
  expect(rows, relation).toEqual([]);
}

/** The same of a live view, read as those read it who may: at this moment, in this transaction. */
async function expectLive(client: pg.ClientBase, relation: string): Promise<void> {
  const read = (from: string) => `select to_jsonb(t)::text as row from ${from} t order by 1`;
  const expected = (await client.query(read(definitionOf(relation)))).rows;
  const found: unknown[] = [];
  const accounts = relation.endsWith('intro_request_stats')
    ? (await client.query('select id from app_public.account')).rows.map(({ id }) => id)
    : [''];
  for (const account of accounts) {
    await client.query('set role app_account');
    await client.query("select set_config('app.account_id', $1, false)", [account]);
    found.push(...(await client.query(read(`${relation}_live`))).rows);
    await client.query("select set_config('app.account_id', '', false)");
    await client.query('set role app_owner');
  }
  const byRow = (a: { row: string }, b: { row: string }) => (a.row < b.row ? -1 : 1);
  expect((found as { row: string }[]).sort(byRow), relation).toEqual(expected.sort(byRow));
}

describe('after random histories', () => {
  let db: TestDatabase;

  beforeAll(async () => {
    db = await createTestDatabase();
    await createSmallWorld(db);
  });

  afterAll(async () => {
    await db?.drop();
  });

  it('live views are exact at once, relations when recomputed', { timeout: 300_000 }, async () => {
    const client = await db.connect();
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            texts: fc.array(fc.oneof(statement, renaming), { minLength: 1, maxLength: 5 }),
            ends: fc.constantFrom('commit', 'commit', 'rollback'),
            drain: fc.boolean(),
          }),
          { minLength: 1, maxLength: 4 },
        ),
        async (transactions) => {
          await client.query('rollback');
          for (const { texts, ends, drain } of transactions) {
            await client.query('begin');
            for (const text of texts) await client.query(text);
            for (const relation of INCREMENTAL) await expectLive(client, relation);
            await client.query(ends);
            if (drain) await db.pool.query('select millrace.drain()');
            for (const relation of INCREMENTAL) await expectLive(client, relation);
          }
          // Counters of one table are sources of another relation.
          await settle(db);
          await settle(db);
          for (const relation of RELATIONS) await expectDefined(client, relation);
        },
      ),
      { numRuns: 8 },
    );
  });

  it('a row that was tampered with is noticed by this comparison', async () => {
    await settle(db);
    await settle(db);
    const client = await db.connect();
    for (const relation of ['app_public.feed_project', 'app_hidden.search_index']) {
      await expectDefined(client, relation);
      await client.query('begin');
      const { rowCount } = await client.query(`update ${relation} set title = 'Tampered'`);
      expect(rowCount).toBeGreaterThan(0);
      const fault = await expectDefined(client, relation).then(
        () => 'nothing noticed',
        (error: Error) => JSON.stringify((error as Error & { actual?: unknown }).actual),
      );
      expect(fault).toContain('Tampered');
      await client.query('rollback');
    }
  });
});

describe('what they hold', () => {
  let db: TestDatabase;
  let world: World;
  let call: ReturnType<typeof caller>;

  beforeAll(async () => {
    db = await createTestDatabase();
    call = caller(db);
  });

  afterAll(async () => {
    await db?.drop();
  });

  beforeEach(async () => {
    world = await createWorld(db);
  });

  const as = (account: string | null, text: string, values: unknown[] = []) => {
    const work = async (client: pg.PoolClient) => (await client.query(text, values)).rows;
    return account === null ? db.asAnonymous(work) : db.asAccount(account, work);
  };

  it('feeds: projects that are not deleted, for everybody, in three orders', async () => {
    const older = await call(world.founder, 'create_project', { title: 'Older' });
    const newer = await call(world.founder, 'create_project', { title: 'Newer' });
    const gone = await call(world.founder, 'create_project', { title: 'Gone' });
    await db.pool.query(
      "update app_public.project set created_at = now() - interval '12 hours' where id = $1",
      [older.id],
    );
    await db.pool.query(
      "update app_public.project set created_at = now() - interval '2 days' where id = $1",
      [world.project],
    );
    const voters = [world.other, world.keeper, world.angel, world.validator, world.moderator];
    for (const account of voters) {
      await call(account, 'toggle_upvote', { project_id: world.project });
    }
    for (const account of voters.slice(0, 4)) {
      await call(account, 'toggle_upvote', { project_id: older.id });
    }
    await call(world.founder, 'delete_project', { project_id: gone.id });
    await settle(db);
    const list = async (name: string, account: string | null) =>
      (
        await as(
          account,
          `select project_id from app_public.${name}() f where owner_id = $1 order by ${
            { trending: 'trending_score', newest: 'created_at', top: 'upvote_count' }[
              name.replace('_projects', '') as 'trending' | 'newest' | 'top'
            ]
          } desc, project_id desc`,
          [world.founder],
        )
      ).map(({ project_id }) => project_id);
    for (const account of [null, world.other]) {
      expect(await list('top_projects', account)).toEqual([world.project, older.id, newer.id]);
      expect(await list('newest_projects', account)).toEqual([newer.id, older.id, world.project]);
      // Five times the activity makes up for 17 hours, not for two days.
      expect(await list('trending_projects', account)).toEqual([older.id, newer.id, world.project]);
    }
  });

  it('a trending score that time alone never changes, and ten times the activity in a day', async () => {
    const { rows } = await db.pool.query(`
      select app_hidden.trending_score('2026-01-01', 9) - app_hidden.trending_score('2026-01-02', 0)
          as difference,
        app_hidden.trending_score('2026-01-02', 5) > app_hidden.trending_score('2026-01-01', 58)
          as newer,
        app_hidden.trending_score('2026-01-02', 5) < app_hidden.trending_score('2026-01-01', 60)
          as busier,
        app_hidden.trending_score('2026-01-01', -40) = app_hidden.trending_score('2026-01-01', 0)
          as bounded`);
    expect(rows[0].difference).toBeCloseTo(0, 9);
    expect(rows[0]).toMatchObject({ newer: true, busier: true, bounded: true });
  });

  it('viewerHasUpvoted on feeds, leaderboards and details, each viewer’s own', async () => {
    await call(world.other, 'toggle_upvote', { project_id: world.project });
    await settle(db);
    for (const relation of ['feed_project', 'leaderboard_project', 'project_details']) {
      const text = `select app_public.${relation}_viewer_has_upvoted(r) as upvoted
        from app_public.${relation} r where project_id = $1`;
      expect(await as(world.other, text, [world.project]), relation).toEqual([{ upvoted: true }]);
      expect(await as(world.keeper, text, [world.project])).toEqual([{ upvoted: false }]);
      expect(await as(null, text, [world.project])).toEqual([{ upvoted: false }]);
    }
  });

  it('leaderboards: equal points share a rank, and the next rank counts them', async () => {
    await db.pool.query('update app_public.project set deleted_at = now()');
    const titles = ['first', 'tied one', 'tied two', 'last'];
    const ids: unknown[] = [];
    for (const title of titles) {
      ids.push((await call(world.founder, 'create_project', { title })).id);
    }
    const lone = await call(world.other, 'create_project', { title: 'lone' });
    await call(world.validator, 'award_badge', { project_id: ids[0], kind: 'source' });
    await call(world.validator, 'award_badge', { project_id: lone.id, kind: 'demo' });
    for (const id of ids.slice(1, 3)) {
      for (const account of [world.keeper, world.angel]) {
        await call(account, 'toggle_upvote', { project_id: id });
      }
    }
    await settle(db);
    await settle(db);
    const board = await as(
      null,
      `select rank::int, points::int, title from app_public.project_leaderboard()
      order by rank, project_id`,
    );
    expect(board).toEqual([
      { rank: 1, points: 20, title: 'first' },
      { rank: 2, points: 10, title: 'lone' },
      { rank: 3, points: 2, title: 'tied one' },
      { rank: 3, points: 2, title: 'tied two' },
      { rank: 5, points: 0, title: 'last' },
    ]);
    const builders = await as(
      world.other,
      `select rank::int, points::int, project_count::int, display_name
      from app_public.builder_leaderboard() order by rank, account_id`,
    );
    expect(builders).toEqual([
      { rank: 1, points: 24, project_count: 4, display_name: 'Flora' },
      { rank: 2, points: 10, project_count: 1, display_name: 'Otis' },
    ]);
  });

  it('chains: the one where something happened last first, weighed by followers', async () => {
    const quiet = await call(world.other, 'create_chain', {
      slug: `quiet-${world.chain}`,
      name: 'Quiet',
    });
    await db.pool.query(
      `update app_public.chain set created_at = now() - interval '10 days' where id in ($1, $2)`,
      [quiet.id, world.chain],
    );
    await settle(db);
    const read = () =>
      as(
        null,
        `select chain_id, name, post_count::int, reply_count::int, follower_count::int,
          last_active_at, created_at
        from app_public.active_chains() where chain_id in ($1, $2)
        order by activity_score desc, chain_id desc`,
        [quiet.id, world.chain],
      );
    const [busy, idle] = await read();
    expect(busy).toMatchObject({ name: 'Kitchen', post_count: 1, reply_count: 0 });
    expect(busy?.last_active_at > busy?.created_at).toBe(true);
    expect(idle?.last_active_at).toEqual(idle?.created_at);
    const post = await call(world.founder, 'create_chain_post', {
      chain_id: quiet.id,
      title: 'x',
      content: 'x',
    });
    await call(world.keeper, 'reply_to_chain_post', { post_id: post.id, content: 'y' });
    await call(world.angel, 'follow_chain', { chain_id: quiet.id });
    await settle(db);
    expect((await read())[0]).toMatchObject({
      name: 'Quiet',
      post_count: 1,
      reply_count: 1,
      follower_count: 1,
    });
    await call(world.other, 'delete_chain', { chain_id: quiet.id });
    await settle(db);
    expect((await read()).map(({ name }) => name)).toEqual(['Kitchen']);
    const { rows } = await db.pool.query(
      'select from app_public.chain_post_feed where chain_id = $1',
      [quiet.id],
    );
    expect(rows).toEqual([]);
  });

  it('forum: the post last replied to first, with counts, without what is deleted', async () => {
    const post = (title: string) =>
      call(world.founder, 'create_chain_post', { chain_id: world.chain, title, content: title });
    const second = await post('Second');
    const third = await post('Third');
    const reply = await call(world.keeper, 'reply_to_chain_post', {
      post_id: world.post,
      content: 'A kettle',
    });
    await settle(db);
    const read = async (name: string, column: string) =>
      (
        await as(
          null,
          `select f.title, f.reply_count::int, f.last_author_id
          from app_public.chain c, app_public.${name}(c) f where c.id = $1
          order by f.${column} desc, f.post_id desc`,
          [world.chain],
        )
      ).map(({ title, reply_count, last_author_id }) => [title, reply_count, last_author_id]);
    expect(await read('chain_active_posts', 'last_active_at')).toEqual([
      ['Which kettle?', 1, world.keeper],
      ['Third', 0, null],
      ['Second', 0, null],
    ]);
    expect((await read('chain_newest_posts', 'created_at')).map(([title]) => title)).toEqual([
      'Third',
      'Second',
      'Which kettle?',
    ]);
    await call(world.keeper, 'delete_chain_post', { post_id: reply.id });
    await call(world.founder, 'delete_chain_post', { post_id: third.id });
    await settle(db);
    expect(await read('chain_active_posts', 'last_active_at')).toEqual([
      ['Second', 0, null],
      ['Which kettle?', 0, null],
    ]);
    expect(second.id).not.toBe(third.id);
  });

  it('details: a name changed anywhere arrives', async () => {
    await call(world.validator, 'award_badge', {
      project_id: world.project,
      kind: 'demo',
      note: 'It boils',
    });
    const added = { chain_id: world.chain, project_id: world.project };
    await call(world.founder, 'add_project_to_chain', added);
    await call(world.founder, 'save_profile', { headline: 'Boils things' });
    await call(world.keeper, 'update_chain', { chain_id: world.chain, name: 'Kettles' });
    const rename = (account: string, name: string) =>
      db.asAccount(
        account,
        (client) => client.query('select app_public.set_display_name($1)', [name]),
        commit,
      );
    await rename(world.validator, 'Vittorio');
    await rename(world.founder, 'Florence');
    await settle(db);
    const read = () =>
      as(
        null,
        `select owner_name, owner_headline, badges, chains from app_public.project_details
        where project_id = $1`,
        [world.project],
      );
    expect(await read()).toMatchObject([
      {
        owner_name: 'Florence',
        owner_headline: 'Boils things',
        badges: [{ kind: 'demo', points: 10, note: 'It boils', validatorName: 'Vittorio' }],
        chains: [{ id: Number(world.chain), name: 'Kettles' }],
      },
    ]);
    await call(world.founder, 'remove_project_from_chain', added);
    await settle(db);
    expect(await read()).toMatchObject([{ chains: [] }]);
    await call(world.founder, 'delete_project', { project_id: world.project });
    await settle(db);
    expect(await read()).toEqual([]);
  });

  it('the directory: by stage, sector and whether they take requests', async () => {
    const suffix = world.investor;
    await call(world.angel, 'save_investor', {
      stages: '{seed,growth}',
      sectors: [`energy ${suffix}`, 'food'],
    });
    await call(world.keeper, 'save_investor', {
      name: 'Kim',
      stages: '{seed}',
      sectors: [`energy ${suffix}`],
      is_open: false,
    });
    await settle(db);
    const sector = `Energy ${suffix}`;
    const find = async (args: string) =>
      (
        await as(
          null,
          `select name from app_public.find_investors(${args}) order by intro_count desc, name`,
        )
      ).map(({ name }) => name);
    expect(await find(`sector => '${sector}'`)).toEqual(['Angela invests', 'Kim']);
    expect(await find(`sector => '${sector}', stage => 'growth'`)).toEqual(['Angela invests']);
    expect(await find(`sector => '${sector}', open_only => true`)).toEqual(['Angela invests']);
    expect(await find(`sector => '${sector}', stage => 'series_b'`)).toEqual([]);
    await call(world.angel, 'delete_investor', {});
    await settle(db);
    expect(await find(`sector => '${sector}'`)).toEqual(['Kim']);
  });

  it('intro requests by state, exact at once, each account its own', async () => {
    const read = (account: string | null, relation = 'intro_request_stats_live') =>
      as(
        account,
        `select account_id, sent_requested_count::int as sent, sent_accepted_count::int as accepted,
          received_requested_count::int as received
        from app_public.${relation}`,
      );
    expect(await read(world.founder)).toEqual([]);
    const sent = await call(world.founder, 'request_intro', {
      project_id: world.project,
      investor_id: world.investor,
      message: 'Hello',
    });
    const [founder, angel] = [world.founder, world.angel];
    expect(await read(founder)).toEqual([
      { account_id: founder, sent: 1, accepted: 0, received: 0 },
    ]);
    expect(await read(angel)).toEqual([{ account_id: angel, sent: 0, accepted: 0, received: 1 }]);
    await settle(db);
    await call(angel, 'accept_intro', { intro_request_id: sent.id });
    expect(await read(founder)).toEqual([
      { account_id: founder, sent: 0, accepted: 1, received: 0 },
    ]);
    expect(await read(world.other)).toEqual([]);
    expect(await read(null)).toEqual([]);
    const asModerator = await db.asModerator(world.moderator, (client) =>
      client.query('select from app_public.intro_request_stats_live'),
    );
    expect(asModerator.rows).toEqual([]);
    await settle(db);
    expect(await read(founder, 'intro_request_stats')).toHaveLength(1);
    expect(await read(world.other, 'intro_request_stats')).toEqual([]);
  });

  it('the dashboard: one row, the viewer’s, exact in its own transaction too', async () => {
    const stats = 'select * from app_public.account_stats';
    expect(await as(null, stats)).toEqual([]);
    await call(world.founder, 'request_intro', {
      project_id: world.project,
      investor_id: world.investor,
      message: 'Hello',
    });
    await call(world.other, 'toggle_upvote', { project_id: world.project });
    await call(world.angel, 'follow_chain', { chain_id: world.chain });
    expect(await as(world.founder, stats)).toEqual([
      {
        account_id: world.founder,
        project_count: '1',
        chain_count: '0',
        comment_count: '0',
        upvote_count: '1',
        badge_count: '0',
        proof_score: '0',
        follower_count: '0',
        unread_message_count: '0',
        pending_intro_count: '0',
        agent_count: '0',
        unread_update_count: '0',
      },
    ]);
    expect(await as(world.angel, stats)).toMatchObject([
      { account_id: world.angel, pending_intro_count: '1' },
    ]);
    expect(await as(world.keeper, stats)).toMatchObject([
      { account_id: world.keeper, chain_count: '1', follower_count: '1' },
    ]);
    const within = await db.asAccount(world.founder, async (client) => {
      await client.query("select app_public.create_project('Second')");
      return await one(client, stats);
    });
    expect(within).toMatchObject({ project_count: '2' });
    const gone = await createAccount(db, 'Gone');
    await db.asAccount(
      gone,
      (client) => client.query('select app_public.delete_account()'),
      commit,
    );
    expect(await as(gone, stats)).toEqual([]);
  });

  it('the upvotes of a project, and whether the viewer’s is one of them', async () => {
    const state = `select upvote_count, viewer_has_upvoted from app_public.project_upvote_state
      where project_id = ${world.project}`;
    await call(world.other, 'toggle_upvote', { project_id: world.project });
    expect(await as(null, state)).toEqual([{ upvote_count: '1', viewer_has_upvoted: false }]);
    expect(await as(world.keeper, state)).toEqual([
      { upvote_count: '1', viewer_has_upvoted: false },
    ]);
    expect(await as(world.other, state)).toEqual([{ upvote_count: '1', viewer_has_upvoted: true }]);
    await call(world.founder, 'delete_project', { project_id: world.project });
    expect(await as(world.other, state)).toEqual([]);
  });

  it('nothing that an API role may write', async () => {
    const { rows } = await db.pool.query(
      `select c.oid::regclass::text as relation, r.role, p.privilege
      from unnest($1::text[]) as n (name)
      join pg_class c on c.oid = n.name::regclass
      cross join unnest('{app_anonymous,app_account,app_moderator}'::text[]) as r (role)
      cross join unnest('{INSERT,UPDATE,DELETE,TRUNCATE}'::text[]) as p (privilege)
      where has_table_privilege(r.role, c.oid, p.privilege)
        or p.privilege in ('INSERT', 'UPDATE')
          and has_any_column_privilege(r.role, c.oid, p.privilege)`,
      [
        [
          ...RELATIONS,
          ...LIVE,
          'app_public.leaderboard_project',
          'app_public.leaderboard_builder',
          'app_public.account_stats',
          'app_public.project_upvote_state',
          'app_public.search_result',
        ],
      ],
    );
    expect(rows).toEqual([]);
  });
});
