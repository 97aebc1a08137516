import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAccount, expectRefused } from '../deliberation/community.ts';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';
import { TABLES } from '../lib/tables.ts';
import { caller, callOf, commit, createWorld, type World } from './world.ts';

/*
 * Who may see and write what, by row and by column, whatever the functions do. The rows are made
 * once; each cell of the matrix is asserted.
 */

const API_ROLES = ['app_anonymous', 'app_account', 'app_moderator'];
const OWN_TABLES = ['profile', ...TABLES.discovery];

let db: TestDatabase;
let world: World;
let formerModerator: string;
/** How many rows a visitor sees and how many there are, by table. */
const deleted: Record<string, string> = {};

beforeAll(async () => {
  db = await createTestDatabase();
  world = await createWorld(db);
  formerModerator = await createAccount(db, 'Fred');
  const call = caller(db);
  const { founder, other, validator, angel, keeper, project, chain } = world;
  await call(founder, 'save_profile', { bio: 'I am' });
  await call(other, 'toggle_upvote', { project_id: project });
  await call(keeper, 'toggle_upvote', { project_id: project });
  await call(other, 'follow_chain', { chain_id: chain });
  await call(other, 'create_project_comment', { project_id: project, content: 'Nice' });
  await call(founder, 'add_project_to_chain', { chain_id: chain, project_id: project });
  await call(validator, 'award_badge', { project_id: project, kind: 'demo' });
  const badge = await call(validator, 'award_badge', { project_id: project, kind: 'users' });
  await call(validator, 'revoke_badge', { badge_id: badge.id });
  await call(founder, 'request_intro', {
    project_id: project,
    investor_id: world.investor,
    message: 'Hello',
  });
  const gone = await call(founder, 'create_project', { title: 'Gone' });
  await call(founder, 'delete_project', { project_id: gone.id });
  deleted.project = gone.id as string;
  const goneChain = await call(keeper, 'create_chain', { slug: 'gone', name: 'Gone' });
  await call(keeper, 'delete_chain', { chain_id: goneChain.id });
  await call(keeper, 'save_investor', { name: 'Kim' });
  await call(keeper, 'delete_investor', {});
  expect(angel).not.toBe(keeper);
});

afterAll(async () => {
  await db?.drop();
});

/** What each viewer may do, as a transaction of theirs. */
const viewers = {
  visitor: (text: string) => db.asAnonymous((client) => client.query(text)),
  founder: (text: string) => db.asAccount(world.founder, (client) => client.query(text)),
  other: (text: string) => db.asAccount(world.other, (client) => client.query(text)),
  keeper: (text: string) => db.asAccount(world.keeper, (client) => client.query(text)),
  angel: (text: string) => db.asAccount(world.angel, (client) => client.query(text)),
  validator: (text: string) => db.asAccount(world.validator, (client) => client.query(text)),
  moderator: (text: string) => db.asModerator(world.moderator, (client) => client.query(text)),
  'moderator with an ordinary token': (text: string) =>
    db.asAccount(world.moderator, (client) => client.query(text)),
  'former moderator': (text: string) =>
    db.asModerator(formerModerator, (client) => client.query(text)),
};
type Viewer = keyof typeof viewers;

/** Rows that each viewer sees; `rest` is everybody not named. */
const VISIBLE: Record<string, Partial<Record<Viewer, number>> & { rest: number }> = {
  profile: { rest: 1 },
  project: { rest: 1, founder: 2, moderator: 2 },
  project_upvote: { rest: 0, other: 1, keeper: 1 },
  project_comment: { rest: 1 },
  badge: { rest: 1, validator: 2, moderator: 2 },
  chain: { rest: 1, keeper: 2, moderator: 2 },
  chain_project: { rest: 1 },
  chain_follow: { rest: 0, other: 1 },
  chain_post: { rest: 1 },
  investor: { rest: 1, keeper: 2, moderator: 2 },
  intro_request: { rest: 0, founder: 1, angel: 1 },
};

describe('rows that a viewer sees', () => {
  it('are asked of every table of the module', () => {
    expect(Object.keys(VISIBLE).sort()).toEqual([...OWN_TABLES].sort());
  });

  it.each(Object.entries(VISIBLE))('%s', async (table, expected) => {
    const found: Record<string, number> = {};
    const wanted: Record<string, number> = {};
    for (const viewer of Object.keys(viewers) as Viewer[]) {
      const { rowCount } = await viewers[viewer](`select from app_public.${table}`);
      found[viewer] = rowCount ?? 0;
      wanted[viewer] = expected[viewer] ?? expected.rest;
    }
    expect(found).toEqual(wanted);
  });
});

describe('columns that API roles may write', () => {
  it('are these and no others, the same for accounts and moderators, none for visitors', async () => {
    const { rows } = await db.pool.query(
      `select r.role, p.privilege || ' ' || c.relname as subject,
        string_agg(a.attname, ', ' order by a.attnum) as columns
      from pg_class c
      join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      cross join unnest($1::text[]) as r (role)
      cross join unnest('{INSERT,UPDATE}'::text[]) as p (privilege)
      where c.relnamespace = 'app_public'::regnamespace and c.relname = any ($2)
        and has_column_privilege(r.role, c.oid, a.attnum, p.privilege)
      group by 1, 2`,
      [API_ROLES, OWN_TABLES],
    );
    const of = (role: string) =>
      Object.fromEntries(
        rows.filter((row) => row.role === role).map(({ subject, columns }) => [subject, columns]),
      );
    expect(of('app_anonymous')).toEqual({});
    expect(of('app_moderator')).toEqual(of('app_account'));
    expect(of('app_account')).toEqual({
      'INSERT profile': 'account_id, headline, bio, location, skills, website_url',
      'UPDATE profile': 'headline, bio, location, skills, website_url, updated_at',
      'INSERT project': 'owner_id, title, tagline, description, website_url, tags, request_id',
      'UPDATE project': 'title, tagline, description, website_url, tags, updated_at, deleted_at',
      'INSERT project_upvote': 'project_id, account_id',
      'UPDATE project_upvote': 'created_at, withdrawn_at',
      'INSERT project_comment': 'project_id, author_id, parent_id, content, request_id',
      'UPDATE project_comment': 'content, edited_at, deleted_at',
      'INSERT badge': 'project_id, validator_id, kind, points, note',
      'UPDATE badge': 'revoked_at, revoked_by_id',
      'INSERT chain': 'owner_id, slug, name, description, request_id',
      'UPDATE chain': 'name, description, updated_at, deleted_at',
      'INSERT chain_project': 'chain_id, project_id, added_by_id',
      'UPDATE chain_project': 'added_by_id, added_at, removed_at',
      'INSERT chain_follow': 'chain_id, account_id',
      'UPDATE chain_follow': 'followed_at, unfollowed_at',
      'INSERT chain_post': 'chain_id, author_id, parent_id, title, content, request_id',
      'UPDATE chain_post': 'title, content, edited_at, deleted_at',
      'INSERT investor':
        'account_id, name, headline, thesis, location, website_url, stages, sectors, min_check, ' +
        'max_check, is_open',
      'UPDATE investor':
        'name, headline, thesis, location, website_url, stages, sectors, min_check, max_check, ' +
        'is_open, updated_at, deleted_at',
      'INSERT intro_request': 'project_id, investor_id, requester_id, recipient_id, message',
      'UPDATE intro_request': 'state, ended_at, answer',
    });
  });

  it('are never counters', async () => {
    const { rows } = await db.pool.query<{ target: string; target_column: string }>(
      `select target::text, target_column::text from millrace.derivation
      where kind = 'counter' and target = any ($1::text[]::regclass[]) order by 1, 2`,
      [['account', ...OWN_TABLES].map((name) => `app_public.${name}`)],
    );
    expect(rows).toHaveLength(19);
    for (const { target, target_column } of rows) {
      for (const viewer of ['visitor', 'founder', 'moderator'] as const) {
        await expectRefused(
          db,
          () => viewers[viewer](`update ${target} set ${target_column} = 1000000`),
          '42501',
        );
      }
    }
  });

  it('are in no row that a role deletes or truncates', async () => {
    const { rows } = await db.pool.query(
      `select c.oid::regclass::text, r.role, p.privilege from pg_class c
      cross join unnest($1::text[]) as r (role)
      cross join unnest('{DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) as p (privilege)
      where c.relnamespace = 'app_public'::regnamespace and c.relname = any ($2)
        and has_table_privilege(r.role, c.oid, p.privilege)`,
      [API_ROLES, OWN_TABLES],
    );
    expect(rows).toEqual([]);
  });

  it('of a deleted row are nobody’s: what is deleted stays so', async () => {
    for (const viewer of ['founder', 'moderator'] as const) {
      const { rowCount } = await viewers[viewer](
        `update app_public.project set deleted_at = null where id = ${deleted.project}`,
      );
      expect(rowCount).toBe(0);
    }
  });
});

describe('functions of the module', () => {
  it('are executed by API roles only, those that only tasks need by none', async () => {
    const { rows } = await db.pool.query(
      `select p.oid::regprocedure::text from pg_proc p
      cross join lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
      where p.pronamespace in ('app_public'::regnamespace, 'app_hidden'::regnamespace,
        'app_private'::regnamespace) and a.grantee = 0`,
    );
    expect(rows).toEqual([]);
    await expectRefused(
      db,
      () => viewers.moderator('select app_private.expire_overdue_intro_requests()'),
      '42501',
    );
  });

  it('that end what the caller has, end nobody else’s', async () => {
    const state = async () =>
      (await db.pool.query('select id, state from app_public.intro_request order by id')).rows;
    const before = await state();
    await db.asAccount(
      world.other,
      (client) =>
        client.query(
          `select app_hidden.end_intro_requests($1, $2), app_hidden.delete_discovery_of($3),
            app_hidden.expire_intro_requests($1, $2)`,
          [world.project, world.investor, world.founder],
        ),
      commit,
    );
    expect(await state()).toEqual(before);
    const { text, values } = callOf('sent_intro_requests', {});
    expect((await viewers.visitor(text.replace('$1', String(values[0])))).rows).toEqual([]);
    const { rows } = await db.pool.query(
      'select deleted_at from app_public.project where id = $1',
      [world.project],
    );
    expect(rows).toEqual([{ deleted_at: null }]);
  });
});
