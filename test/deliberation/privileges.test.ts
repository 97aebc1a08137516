import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';
import { TABLES } from '../lib/tables.ts';
import {
  type Community,
  castVote,
  createCommunity,
  createOpinion,
  expectRefused,
  moderate,
} from './community.ts';

/*
 * Who may see and write what, by row and by column, whatever the functions do. The rows are made
 * once; each cell of the matrix is asserted.
 */

let db: TestDatabase;
let community: Community;
const opinions: Record<string, string> = {};
const conversations: Record<string, string> = {};

const API_ROLES = ['app_anonymous', 'app_account', 'app_moderator'];
const OWN_TABLES = ['account', ...TABLES.deliberation];
const commit = { commit: true };

beforeAll(async () => {
  db = await createTestDatabase();
  community = await createCommunity(db);
  const { author, owner, moderator, voter, conversation } = community;
  opinions.visible = community.opinion;
  conversations.open = conversation;
  for (const content of ['moved', 'hidden', 'deleted']) {
    opinions[content] = await db.asAccount(
      author,
      (client) => createOpinion(client, conversation, content),
      commit,
    );
  }
  await db.asAccount(
    voter,
    (client) => castVote(client, opinions.visible as string, 'pass'),
    commit,
  );
  await db.asModerator(
    moderator,
    async (client) => {
      await moderate(client, opinions.moved as string, 'move');
      await moderate(client, opinions.hidden as string, 'hide');
    },
    commit,
  );
  await db.asAccount(
    author,
    (client) => client.query('select app_public.delete_opinion($1)', [opinions.deleted]),
    commit,
  );
  const gone = await db.asAccount(
    owner,
    (client) => client.query("select id from app_public.create_conversation('Gone')"),
    commit,
  );
  conversations.deleted = gone.rows[0].id;
  await db.pool.query('update app_public.conversation set deleted_at = now() where id = $1', [
    conversations.deleted,
  ]);
});

afterAll(async () => {
  await db?.drop();
});

/** What each viewer may do, as a transaction of theirs. */
const viewers = {
  visitor: (text: string) => db.asAnonymous((client) => client.query(text)),
  voter: (text: string) => db.asAccount(community.voter, (client) => client.query(text)),
  author: (text: string) => db.asAccount(community.author, (client) => client.query(text)),
  owner: (text: string) => db.asAccount(community.owner, (client) => client.query(text)),
  moderator: (text: string) => db.asModerator(community.moderator, (client) => client.query(text)),
  'moderator with an ordinary token': (text: string) =>
    db.asAccount(community.moderator, (client) => client.query(text)),
  'former moderator': (text: string) =>
    db.asModerator(community.formerModerator, (client) => client.query(text)),
  'deleted account': (text: string) =>
    db.asAccount(community.deleted, (client) => client.query(text)),
};
type Viewer = keyof typeof viewers;

describe('rows that a viewer sees', () => {
  const label = (labels: Record<string, string>, ids: string[]) =>
    ids.map((id) => Object.entries(labels).find(([, known]) => known === id)?.[0] ?? id).sort();

  it.each<[Viewer, string[]]>([
    ['visitor', ['moved', 'visible']],
    ['voter', ['moved', 'visible']],
    ['author', ['deleted', 'hidden', 'moved', 'visible']],
    ['owner', ['moved', 'visible']],
    ['moderator', ['deleted', 'hidden', 'moved', 'visible']],
    ['moderator with an ordinary token', ['moved', 'visible']],
    ['former moderator', ['moved', 'visible']],
    ['deleted account', ['moved', 'visible']],
  ])('%s: opinions', async (viewer, expected) => {
    const { rows } = await viewers[viewer]('select id from app_public.opinion');
    expect(
      label(
        opinions,
        rows.map(({ id }) => id),
      ),
    ).toEqual(expected);
  });

  it.each<[Viewer, string[]]>([
    ['visitor', ['open']],
    ['voter', ['open']],
    ['author', ['open']],
    ['owner', ['open']],
    ['moderator', ['deleted', 'open']],
    ['moderator with an ordinary token', ['open']],
    ['former moderator', ['open']],
    ['deleted account', ['open']],
  ])('%s: conversations', async (viewer, expected) => {
    const { rows } = await viewers[viewer]('select id from app_public.conversation');
    expect(
      label(
        conversations,
        rows.map(({ id }) => id),
      ),
    ).toEqual(expected);
  });

  it.each<[Viewer, number]>([
    ['visitor', 0],
    ['voter', 1],
    ['author', 4],
    ['owner', 0],
    ['moderator', 0],
    ['moderator with an ordinary token', 0],
    ['former moderator', 0],
    ['deleted account', 0],
  ])('%s: votes, only their own', async (viewer, expected) => {
    const { rows } = await viewers[viewer](
      `select count(*)::int, bool_and(voter_id = app_hidden.current_account_id()) as own
      from app_public.opinion_vote`,
    );
    expect(rows).toEqual([{ count: expected, own: expected ? true : null }]);
  });

  it.each<[Viewer, string[]]>([
    ['visitor', ['moved']],
    ['author', ['moved']],
    ['moderator', ['hidden', 'moved']],
    ['former moderator', ['moved']],
  ])('%s: moderations', async (viewer, expected) => {
    const { rows } = await viewers[viewer](
      'select action::text from app_public.opinion_moderation order by 1',
    );
    expect(rows.map(({ action }) => action)).toEqual(expected);
  });

  it.each<[Viewer, boolean]>([
    ['visitor', false],
    ['voter', false],
    ['moderator', true],
    ['former moderator', false],
    ['deleted account', true],
  ])('%s: the deleted account', async (viewer, expected) => {
    const { rows } = await viewers[viewer](
      `select id from app_public.account where id = ${community.deleted}`,
    );
    expect(rows).toHaveLength(expected ? 1 : 0);
  });
});

describe('columns that API roles may write', () => {
  it('are these and no others', async () => {
    const { rows } = await db.pool.query(
      `select r.role || ' ' || p.privilege || ' ' || c.relname as subject,
        string_agg(a.attname, ', ' order by a.attnum) as columns
      from pg_class c
      join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      cross join unnest($1::text[]) as r (role)
      cross join unnest('{INSERT,UPDATE}'::text[]) as p (privilege)
      where c.relnamespace = 'app_public'::regnamespace and c.relname = any ($2)
        and has_column_privilege(r.role, c.oid, a.attnum, p.privilege)
      group by 1 order by 1`,
      [API_ROLES, OWN_TABLES],
    );
    const writable = {
      'INSERT conversation': 'owner_id, topic, description',
      'INSERT conversation_moderation': 'conversation_id, moderator_id, action, reason',
      'INSERT opinion': 'conversation_id, author_id, content, is_seed',
      'INSERT opinion_vote': 'opinion_id, voter_id, conversation_id, choice',
      'UPDATE account': 'display_name, deleted_at',
      'UPDATE conversation_moderation': 'withdrawn_at, withdrawn_by_id',
      'UPDATE opinion_vote': 'choice, cast_at, cancelled_at',
    };
    const expected = {
      'app_anonymous INSERT account': 'display_name, is_guest',
      ...Object.fromEntries(
        ['app_account', 'app_moderator'].flatMap((role) =>
          Object.entries(writable).map(([subject, columns]) => [`${role} ${subject}`, columns]),
        ),
      ),
      'app_account UPDATE conversation': 'closed_at',
      'app_account UPDATE opinion': 'deleted_at',
      'app_moderator UPDATE conversation': 'locked_at, closed_at',
      'app_moderator UPDATE opinion': 'moderation, deleted_at',
      'app_moderator INSERT opinion_moderation': 'opinion_id, moderator_id, action, reason',
      'app_moderator UPDATE opinion_moderation': 'withdrawn_at, withdrawn_by_id',
    };
    expect(Object.fromEntries(rows.map(({ subject, columns }) => [subject, columns]))).toEqual(
      expected,
    );
  });

  it('are never counters', async () => {
    const { rows } = await db.pool.query<{ target: string; target_column: string }>(
      `select target::text, target_column::text from millrace.derivation
      where target = any ($1::text[]::regclass[]) order by 1, 2`,
      [TABLES.deliberation.map((name) => `app_public.${name}`)],
    );
    expect(rows).toHaveLength(11);
    for (const { target, target_column } of rows) {
      for (const viewer of Object.keys(viewers) as Viewer[]) {
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
});

describe('what is closed', () => {
  it('is app_private and the logs, to every API role', async () => {
    const { rows } = await db.pool.query(
      `select r.role, n.nspname from pg_namespace n
      cross join unnest($1::text[]) as r (role)
      where n.nspname = 'app_private' and has_schema_privilege(r.role, n.oid, 'usage')
        or n.nspname like 'app\\_%' and has_schema_privilege(r.role, n.oid, 'create')`,
      [API_ROLES],
    );
    expect(rows).toEqual([]);
    const { rows: logs } = await db.pool.query<{ log: string }>(
      'select log::text from millrace.source',
    );
    expect(logs.length).toBeGreaterThan(0);
    for (const { log } of logs) {
      for (const viewer of Object.keys(viewers) as Viewer[]) {
        await expectRefused(db, () => viewers[viewer](`select * from ${log}`), '42501');
        await expectRefused(db, () => viewers[viewer](`delete from ${log}`), '42501');
      }
    }
    await expectRefused(
      db,
      () => viewers.moderator('select * from app_private.account_role'),
      '42501',
    );
  });

  it('is every function to the public, and to a role that was not granted it', async () => {
    const { rows } = await db.pool.query(
      `select p.oid::regprocedure::text from pg_proc p
      cross join lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
      where p.pronamespace in ('app_public'::regnamespace, 'app_hidden'::regnamespace,
        'app_private'::regnamespace) and a.grantee = 0`,
    );
    expect(rows).toEqual([]);
  });
});
