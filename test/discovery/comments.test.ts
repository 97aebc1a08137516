import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { expectNoWrite, expectRefused, one } from '../deliberation/community.ts';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';
import { caller, callOf, commit, createWorld, type World } from './world.ts';

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

const comment = (account: string, args: Record<string, unknown>) =>
  call(account, 'create_project_comment', { project_id: world.project, ...args });
const block = (blocker: string, blocked: string) =>
  call(blocker, 'block_account', { account_id: blocked });

describe('create_project_comment', () => {
  it('comments, and replies to comments', async () => {
    const first = await comment(world.other, { content: ' Does it whistle? ' });
    expect(first).toMatchObject({
      author_id: world.other,
      content: 'Does it whistle?',
      parent_id: null,
    });
    const reply = await comment(world.founder, { content: 'Yes', parent_id: first.id });
    expect(reply).toMatchObject({ project_id: world.project, parent_id: first.id });
    const counts = await one(
      db.pool,
      `select app_public.project_comment_count(p)::int as all,
        app_public.project_comment_reply_count(c)::int as replies
      from app_public.project p join app_public.project_comment c on c.project_id = p.id
      where c.id = $1`,
      [first.id],
    );
    expect(counts).toEqual({ all: 2, replies: 1 });
  });

  it('makes one of a request that comes twice, even if its place is gone by then', async () => {
    const request_id = randomUUID();
    const first = await comment(world.other, { content: 'Once', request_id });
    expect(
      await expectNoWrite(db, () => comment(world.other, { content: 'Twice', request_id })),
    ).toEqual(first);
    await call(world.founder, 'delete_project', { project_id: world.project });
    expect(
      await expectNoWrite(db, () => comment(world.other, { content: 'Again', request_id })),
    ).toEqual(first);
    await expectRefused(db, () => comment(world.keeper, { content: 'New', request_id }), 'DC001');
  });

  it('refuses what is empty, too long or has no place', async () => {
    const first = await comment(world.other, { content: 'First' });
    const reply = await comment(world.keeper, { content: 'Reply', parent_id: first.id });
    const project = await call(world.other, 'create_project', { title: 'Another' });
    await expectRefused(db, () => comment(world.other, { content: ' \n ' }), 'DC008');
    await expectRefused(db, () => comment(world.other, { content: 'x'.repeat(5001) }), 'DC008');
    await expectRefused(db, () => comment(world.other, { content: null }), 'DC008');
    await expectRefused(
      db,
      () => comment(world.other, { content: 'x', parent_id: '999999999' }),
      'DC002',
    );
    const error = await expectRefused(
      db,
      () => comment(world.other, { content: 'x', parent_id: reply.id }),
      'DC017',
    );
    expect(error.hint).toContain(String(first.id));
    await expectRefused(
      db,
      () => comment(world.other, { content: 'x', project_id: project.id, parent_id: first.id }),
      'DC002',
    );
    await expectRefused(
      db,
      () => comment(world.other, { content: 'x', project_id: '999999999' }),
      'DC001',
    );
    await call(world.other, 'delete_project_comment', { comment_id: first.id });
    await expectRefused(
      db,
      () => comment(world.keeper, { content: 'x', parent_id: first.id }),
      'DC002',
    );
  });

  it('is refused where one side blocks the other: the owner, or the author replied to', async () => {
    const first = await comment(world.other, { content: 'First' });
    await block(world.founder, world.keeper);
    await expectRefused(db, () => comment(world.keeper, { content: 'x' }), 'DC018');
    await block(world.validator, world.founder);
    await expectRefused(db, () => comment(world.validator, { content: 'x' }), 'DC018');
    await block(world.other, world.angel);
    await expectRefused(
      db,
      () => comment(world.angel, { content: 'x', parent_id: first.id }),
      'DC018',
    );
    await comment(world.angel, { content: 'Not to him' });
    await call(world.founder, 'unblock_account', { account_id: world.keeper });
    await comment(world.keeper, { content: 'Again' });
  });

  it('is refused to visitors and suspended accounts', async () => {
    const { text, values } = callOf('create_project_comment', {
      project_id: world.project,
      content: 'x',
    });
    await expectRefused(db, () => db.asAnonymous((client) => client.query(text, values)), 'AC001');
    await db.pool.query('update app_public.account set suspended_at = now() where id = $1', [
      world.other,
    ]);
    await expectRefused(db, () => comment(world.other, { content: 'x' }), 'AC005');
  });

  it('cannot be had by plain SQL either', async () => {
    const insert = `insert into app_public.project_comment
      (project_id, author_id, parent_id, content) values ($1, $2, $3, 'x')`;
    const as = (account: string, author: string, parent: unknown = null) =>
      db.asAccount(account, (client) => client.query(insert, [world.project, author, parent]));
    await expectRefused(db, () => as(world.other, world.keeper), '42501');
    const first = await comment(world.other, { content: 'First' });
    const reply = await comment(world.keeper, { content: 'Reply', parent_id: first.id });
    await expectRefused(db, () => as(world.other, world.other, reply.id), 'DC017');
    await block(world.founder, world.other);
    await expectRefused(db, () => as(world.other, world.other), 'DC018');
  });
});

describe('edit_project_comment', () => {
  it('is its author’s, and writes nothing for the same text', async () => {
    const { id } = await comment(world.other, { content: 'First' });
    const edit = (account: string, content: string) =>
      call(account, 'edit_project_comment', { comment_id: id, content });
    const edited = await edit(world.other, ' Second ');
    expect(edited).toMatchObject({ content: 'Second' });
    expect(edited.edited_at).toBeInstanceOf(Date);
    expect(await expectNoWrite(db, () => edit(world.other, 'Second'))).toEqual(edited);
    await expectRefused(db, () => edit(world.founder, 'Third'), 'DC007');
    await expectRefused(db, () => edit(world.other, ''), 'DC008');
    const { text, values } = callOf('edit_project_comment', { comment_id: id, content: 'Third' });
    await expectRefused(
      db,
      () => db.asModerator(world.moderator, (client) => client.query(text, values)),
      'DC007',
    );
    await expectRefused(
      db,
      () =>
        db.asModerator(world.moderator, (client) =>
          client.query("update app_public.project_comment set content = 'Third' where id = $1", [
            id,
          ]),
        ),
      '42501',
    );
    await call(world.other, 'delete_project_comment', { comment_id: id });
    await expectRefused(db, () => edit(world.other, 'Third'), 'DC002');
  });
});

describe('delete_project_comment', () => {
  it('empties the text, keeps the replies, and happens once', async () => {
    const first = await comment(world.other, { content: 'First' });
    await comment(world.keeper, { content: 'Reply', parent_id: first.id });
    const deleted = await call(world.other, 'delete_project_comment', { comment_id: first.id });
    expect(deleted).toMatchObject({ content: '' });
    expect(deleted.deleted_at).toBeInstanceOf(Date);
    expect(
      await expectNoWrite(db, () =>
        call(world.other, 'delete_project_comment', { comment_id: first.id }),
      ),
    ).toEqual(deleted);
    await db.pool.query('select millrace.drain()');
    const threads = await db.asAnonymous((client) =>
      client.query(
        `select t.id, t.content,
          array(select r.content from app_public.project_comment_replies(t) r) as replies
        from app_public.project p, app_public.project_threads(p) t where p.id = $1`,
        [world.project],
      ),
    );
    expect(threads.rows).toEqual([{ id: first.id, content: '', replies: ['Reply'] }]);
  });

  it('leaves no place without replies', async () => {
    const first = await comment(world.other, { content: 'First' });
    const reply = await comment(world.keeper, { content: 'Reply', parent_id: first.id });
    await call(world.keeper, 'delete_project_comment', { comment_id: reply.id });
    await call(world.other, 'delete_project_comment', { comment_id: first.id });
    await db.pool.query('select millrace.drain()');
    const { rows } = await db.pool.query(
      `select from app_public.project p, app_public.project_threads(p) t where p.id = $1`,
      [world.project],
    );
    expect(rows).toEqual([]);
  });

  it('is for its author, suspended or not, and for moderators', async () => {
    const { id } = await comment(world.other, { content: 'First' });
    const second = await comment(world.other, { content: 'Second' });
    const args = { comment_id: id };
    await expectRefused(db, () => call(world.founder, 'delete_project_comment', args), 'DC007');
    await expectRefused(
      db,
      () => call(world.other, 'delete_project_comment', { comment_id: '999999999' }),
      'DC002',
    );
    await db.pool.query('update app_public.account set suspended_at = now() where id = $1', [
      world.other,
    ]);
    await call(world.other, 'delete_project_comment', args);
    const { text, values } = callOf('delete_project_comment', { comment_id: second.id });
    const deleted = await db.asModerator(
      world.moderator,
      (client) => one(client, text, values),
      commit,
    );
    expect(deleted).toMatchObject({ content: '' });
  });
});

describe('badges', () => {
  const award = (account: string, kind: string | null, args: Record<string, unknown> = {}) =>
    call(account, 'award_badge', { project_id: world.project, kind, ...args });
  const score = () =>
    one(
      db.pool,
      `select app_public.project_proof_score(p)::int as project,
        app_public.account_proof_score(a)::int as account,
        app_public.project_badge_count(p)::int as badges
      from app_public.project p join app_public.account a on a.id = p.owner_id where p.id = $1`,
      [world.project],
    );

  it('are awarded once of a kind, and add to the proof score', async () => {
    const badge = await award(world.validator, 'demo', { note: ' It boils. ' });
    expect(badge).toMatchObject({ kind: 'demo', points: 10, note: 'It boils.', revoked_at: null });
    expect(await expectNoWrite(db, () => award(world.validator, 'demo'))).toEqual(badge);
    await award(world.validator, 'users');
    expect(await score()).toEqual({ project: 50, account: 50, badges: 2 });
    await award(world.validator, 'demerit');
    expect(await score()).toEqual({ project: 20, account: 20, badges: 3 });
  });

  it('are revoked once, by any validator, and can be awarded again', async () => {
    const second = world.keeper;
    await db.pool.query(
      "insert into app_private.account_role (account_id, role) values ($1, 'validator')",
      [second],
    );
    const badge = await award(world.validator, 'source');
    const revoked = await call(second, 'revoke_badge', { badge_id: badge.id });
    expect(revoked).toMatchObject({ revoked_by_id: second });
    expect(await score()).toEqual({ project: 0, account: 0, badges: 0 });
    expect(
      await expectNoWrite(db, () => call(world.validator, 'revoke_badge', { badge_id: badge.id })),
    ).toEqual(revoked);
    const again = await award(second, 'source');
    expect(again.id).not.toBe(badge.id);
    expect(await score()).toEqual({ project: 20, account: 20, badges: 1 });
    const seen = await db.asAnonymous((client) =>
      client.query('select id from app_public.badge where project_id = $1', [world.project]),
    );
    expect(seen.rows).toEqual([{ id: again.id }]);
  });

  it('are for validators, and not for their own projects', async () => {
    await expectRefused(db, () => award(world.founder, 'demo'), 'DC012');
    await expectRefused(db, () => award(world.moderator, 'demo'), 'DC012');
    await expectRefused(db, () => award(world.validator, null), 'DC014');
    await expectRefused(
      db,
      () => award(world.validator, 'demo', { note: 'x'.repeat(2001) }),
      'DC008',
    );
    await expectRefused(
      db,
      () => award(world.validator, 'demo', { project_id: '999999999' }),
      'DC001',
    );
    const own = await call(world.validator, 'create_project', { title: 'Mine' });
    await expectRefused(db, () => award(world.validator, 'demo', { project_id: own.id }), 'DC013');
    const badge = await award(world.validator, 'demo');
    await expectRefused(
      db,
      () => call(world.founder, 'revoke_badge', { badge_id: badge.id }),
      'DC012',
    );
    await expectRefused(
      db,
      () => call(world.validator, 'revoke_badge', { badge_id: '999999999' }),
      'DC014',
    );
    await db.pool.query('update app_public.account set suspended_at = now() where id = $1', [
      world.validator,
    ]);
    await expectRefused(db, () => award(world.validator, 'users'), 'AC005');
    await call(world.founder, 'delete_project', { project_id: world.project });
    await db.pool.query('update app_public.account set suspended_at = null where id = $1', [
      world.validator,
    ]);
    await expectRefused(db, () => award(world.validator, 'users'), 'DC001');
  });

  it('cannot be had by plain SQL: not by others, not with other points, not for oneself', async () => {
    const insert = `insert into app_public.badge (project_id, validator_id, kind, points)
      values ($1, $2, 'demo', $3)`;
    const as = (account: string, project: unknown, validator: string, points: number) => () =>
      db.asAccount(account, (client) => client.query(insert, [project, validator, points]));
    await expectRefused(db, as(world.founder, world.project, world.founder, 10), '42501');
    await expectRefused(db, as(world.validator, world.project, world.validator, 100), '42501');
    await expectRefused(db, as(world.validator, world.project, world.keeper, 10), '42501');
    const own = await call(world.validator, 'create_project', { title: 'Mine' });
    await expectRefused(db, as(world.validator, own.id, world.validator, 10), '42501');
    await award(world.validator, 'demo');
    await expectNoWrite(db, () =>
      db.asAccount(
        world.founder,
        (client) =>
          client.query('update app_public.badge set revoked_at = now(), revoked_by_id = $1', [
            world.founder,
          ]),
        commit,
      ),
    );
  });
});
