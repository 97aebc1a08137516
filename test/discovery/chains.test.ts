import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { expectNoWrite, expectRefused, one } from '../deliberation/community.ts';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';
import { caller, callOf, commit, createWorld, type World } from './world.ts';

let db: TestDatabase;
let world: World;
let call: ReturnType<typeof caller>;
let serial = 0;

beforeAll(async () => {
  db = await createTestDatabase();
  call = caller(db);
});

afterAll(async () => {
  await db?.drop();
});

beforeEach(async () => {
  world = await createWorld(db);
  serial += 1;
});

const block = (blocker: string, blocked: string) =>
  call(blocker, 'block_account', { account_id: blocked });
const suspend = (account: string) =>
  db.pool.query('update app_public.account set suspended_at = now() where id = $1', [account]);
const asModerator = (name: string, args: Record<string, unknown>) => {
  const { text, values } = callOf(name, args);
  return db.asModerator(world.moderator, (client) => one(client, text, values), commit);
};

describe('create_chain', () => {
  it('begins a chain of the caller’s, one for a request', async () => {
    const args = { slug: `tools-${serial}`, name: ' Tools ', request_id: randomUUID() };
    const chain = await call(world.other, 'create_chain', args);
    expect(chain).toMatchObject({ owner_id: world.other, name: 'Tools', slug: args.slug });
    expect(await expectNoWrite(db, () => call(world.other, 'create_chain', args))).toEqual(chain);
  });

  it('gives an address once, to whoever comes first, and for good', async () => {
    const args = { slug: `mills-${serial}`, name: 'Mills' };
    const chain = await call(world.other, 'create_chain', args);
    // The number of the row that is not made is used up; nothing else is.
    await expectRefused(db, () => call(world.keeper, 'create_chain', args), 'DC016');
    await expectRefused(db, () => call(world.other, 'create_chain', args), 'DC016');
    await call(world.other, 'delete_chain', { chain_id: chain.id });
    await expectRefused(db, () => call(world.keeper, 'create_chain', args), 'DC016');
  });

  it.each<[string, Record<string, unknown>, string]>([
    ['a slug of one letter', { slug: 'a' }, 'DC015'],
    ['upper case', { slug: 'Tools' }, 'DC015'],
    ['a hyphen at the end', { slug: 'tools-' }, 'DC015'],
    ['a letter with accent', { slug: 'öfen' }, 'DC015'],
    ['no slug', { slug: null }, 'DC015'],
    ['a long slug', { slug: 'x'.repeat(61) }, 'DC015'],
    ['no name', { name: ' ' }, 'DC008'],
    ['a long name', { name: 'x'.repeat(81) }, 'DC008'],
    ['a long description', { description: 'x'.repeat(5001) }, 'DC008'],
  ])('refuses %s', async (_, args, code) => {
    await expectRefused(
      db,
      () => call(world.other, 'create_chain', { slug: `x-${serial}`, name: 'X', ...args }),
      code,
    );
  });
});

describe('update_chain and delete_chain', () => {
  it('change what is given, for the owner', async () => {
    const update = (account: string, args: Record<string, unknown>) =>
      call(account, 'update_chain', { chain_id: world.chain, ...args });
    const chain = await update(world.keeper, { description: 'Pots' });
    expect(chain).toMatchObject({ name: 'Kitchen', description: 'Pots' });
    expect(await expectNoWrite(db, () => update(world.keeper, { name: 'Kitchen' }))).toEqual(chain);
    await expectRefused(db, () => update(world.other, { name: 'Mine' }), 'DC007');
    await expectRefused(db, () => update(world.keeper, { name: '' }), 'DC008');
    await suspend(world.keeper);
    await expectRefused(db, () => update(world.keeper, { name: 'Back' }), 'AC005');
    await call(world.keeper, 'delete_chain', { chain_id: world.chain });
    await expectRefused(db, () => update(world.other, { name: 'Mine' }), 'DC003');
  });

  it('delete once, for the owner and for moderators', async () => {
    const args = { chain_id: world.chain };
    await expectRefused(db, () => call(world.other, 'delete_chain', args), 'DC007');
    await expectRefused(
      db,
      () => call(world.other, 'delete_chain', { chain_id: '999999999' }),
      'DC003',
    );
    const chain = await asModerator('delete_chain', args);
    expect(chain.deleted_at).toBeInstanceOf(Date);
    expect(await expectNoWrite(db, () => call(world.keeper, 'delete_chain', args))).toEqual(chain);
    await expectRefused(db, () => call(world.other, 'delete_chain', args), 'DC003');
  });
});

describe('projects in a chain', () => {
  const add = (account: string) =>
    call(account, 'add_project_to_chain', { chain_id: world.chain, project_id: world.project });
  const remove = (account: string) =>
    call(account, 'remove_project_from_chain', {
      chain_id: world.chain,
      project_id: world.project,
    });
  const listed = async () =>
    (
      await db.asAnonymous((client) =>
        client.query(
          `select t.project_id from app_public.chain c, app_public.chain_projects(c) t
          where c.id = $1`,
          [world.chain],
        ),
      )
    ).rows.length;

  it('come and go by the owner of either, once', async () => {
    const place = await add(world.founder);
    expect(place).toMatchObject({ added_by_id: world.founder, removed_at: null });
    expect(await expectNoWrite(db, () => add(world.keeper))).toEqual(place);
    expect(await listed()).toBe(1);
    const removed = await remove(world.keeper);
    expect(removed.removed_at).toBeInstanceOf(Date);
    expect(await expectNoWrite(db, () => remove(world.founder))).toEqual(removed);
    expect(await listed()).toBe(0);
    expect(await add(world.keeper)).toMatchObject({
      added_by_id: world.keeper,
      removed_at: null,
    });
    expect(await listed()).toBe(1);
  });

  it('are nobody else’s to add or remove', async () => {
    await expectRefused(db, () => add(world.other), 'DC007');
    await add(world.founder);
    await expectRefused(db, () => remove(world.other), 'DC007');
    await remove(world.founder);
    await expectRefused(db, () => add(world.other), 'DC007');
    const none = await call(world.other, 'remove_project_from_chain', {
      chain_id: world.chain,
      project_id: (await call(world.other, 'create_project', { title: 'Mine' })).id,
    });
    expect(none).toMatchObject({ chain_id: null });
    const insert = `insert into app_public.chain_project (chain_id, project_id, added_by_id)
      values ($1, $2, $3)`;
    await expectRefused(
      db,
      () =>
        db.asAccount(world.founder, (client) =>
          client.query(insert, [world.chain, world.project, world.keeper]),
        ),
      '42501',
    );
  });

  it('do not come where one owner blocks the other, but go', async () => {
    await add(world.founder);
    await block(world.founder, world.keeper);
    await remove(world.keeper);
    await expectRefused(db, () => add(world.keeper), 'DC018');
    await expectRefused(db, () => add(world.founder), 'DC018');
  });

  it('need a chain and a project', async () => {
    const ids = { chain_id: world.chain, project_id: world.project };
    const missing = '999999999';
    for (const name of ['add_project_to_chain', 'remove_project_from_chain']) {
      const as = (args: Record<string, unknown>) => () => call(world.keeper, name, args);
      await expectRefused(db, as({ ...ids, chain_id: missing }), 'DC003');
      await expectRefused(db, as({ ...ids, project_id: missing }), 'DC001');
    }
    await call(world.founder, 'delete_project', { project_id: world.project });
    await expectRefused(db, () => add(world.keeper), 'DC001');
    await call(world.keeper, 'delete_chain', { chain_id: world.chain });
    await expectRefused(db, () => add(world.keeper), 'DC003');
  });

  it('leave the count and the list of a chain when they are deleted', async () => {
    await add(world.founder);
    await call(world.founder, 'delete_project', { project_id: world.project });
    expect(await listed()).toBe(0);
    const { count } = await one(
      db.pool,
      'select app_public.chain_project_count(c)::int as count from app_public.chain c where id = $1',
      [world.chain],
    );
    expect(count).toBe(0);
  });
});

describe('following', () => {
  it('is switched on and off, once each', async () => {
    const args = { chain_id: world.chain };
    await call(world.other, 'follow_chain', args);
    await expectNoWrite(db, () => call(world.other, 'follow_chain', args));
    const seen = (account: string) =>
      db.asAccount(account, (client) =>
        one(
          client,
          `select app_public.chain_follower_count(c)::int as count,
            app_public.chain_viewer_follows(c) as viewer,
            (select count(*)::int from app_public.followed_chains()) as followed
          from app_public.chain c where id = $1`,
          [world.chain],
        ),
      );
    expect(await seen(world.other)).toEqual({ count: 1, viewer: true, followed: 1 });
    expect(await seen(world.founder)).toEqual({ count: 1, viewer: false, followed: 0 });
    await call(world.other, 'unfollow_chain', args);
    await expectNoWrite(db, () => call(world.other, 'unfollow_chain', args));
    await expectNoWrite(db, () => call(world.founder, 'unfollow_chain', args));
    expect(await seen(world.other)).toEqual({ count: 0, viewer: false, followed: 0 });
    await call(world.other, 'follow_chain', args);
    expect(await seen(world.other)).toEqual({ count: 1, viewer: true, followed: 1 });
  });

  it('needs a chain; stopping does not', async () => {
    await expectRefused(
      db,
      () => call(world.other, 'follow_chain', { chain_id: '999999999' }),
      'DC003',
    );
    await call(world.other, 'follow_chain', { chain_id: world.chain });
    await call(world.keeper, 'delete_chain', { chain_id: world.chain });
    await expectRefused(
      db,
      () => call(world.founder, 'follow_chain', { chain_id: world.chain }),
      'DC003',
    );
    expect(await call(world.other, 'unfollow_chain', { chain_id: world.chain })).toMatchObject({
      id: null,
    });
    const { rows } = await db.pool.query(
      'select from app_public.chain_follow where chain_id = $1 and unfollowed_at is null',
      [world.chain],
    );
    expect(rows).toEqual([]);
  });
});

describe('posts', () => {
  const reply = (account: string, args: Record<string, unknown> = {}) =>
    call(account, 'reply_to_chain_post', { post_id: world.post, content: 'This one', ...args });

  it('take replies, one for a request', async () => {
    const request_id = randomUUID();
    const first = await reply(world.founder, { request_id });
    expect(first).toMatchObject({ chain_id: world.chain, parent_id: world.post, title: '' });
    expect(await expectNoWrite(db, () => reply(world.founder, { request_id }))).toEqual(first);
    const error = await expectRefused(db, () => reply(world.other, { post_id: first.id }), 'DC017');
    expect(error.hint).toContain(world.post);
    await expectRefused(db, () => reply(world.other, { post_id: '999999999' }), 'DC004');
    await expectRefused(db, () => reply(world.other, { content: ' ' }), 'DC008');
    await expectRefused(db, () => reply(world.other, { content: 'x'.repeat(10001) }), 'DC008');
    const args = { chain_id: world.chain, title: 'T', content: 'C', request_id: randomUUID() };
    const post = await call(world.other, 'create_chain_post', args);
    expect(await expectNoWrite(db, () => call(world.other, 'create_chain_post', args))).toEqual(
      post,
    );
    const counts = await one(
      db.pool,
      `select app_public.chain_post_count(c)::int as posts,
        app_public.chain_reply_count(c)::int as replies
      from app_public.chain c where id = $1`,
      [world.chain],
    );
    expect(counts).toEqual({ posts: 2, replies: 1 });
  });

  it.each<[string, Record<string, unknown>, string]>([
    ['without title', { title: ' ' }, 'DC008'],
    ['with a long title', { title: 'x'.repeat(201) }, 'DC008'],
    ['without text', { content: '\n' }, 'DC008'],
    ['with a long text', { content: 'x'.repeat(10001) }, 'DC008'],
    ['in no chain', { chain_id: '999999999' }, 'DC003'],
  ])('are refused %s', async (_, args, code) => {
    await expectRefused(
      db,
      () =>
        call(world.other, 'create_chain_post', {
          chain_id: world.chain,
          title: 'x',
          content: 'x',
          ...args,
        }),
      code,
    );
  });

  it('are refused where the chain’s owner or the author replied to blocks or is blocked', async () => {
    const post = (account: string) => () =>
      call(account, 'create_chain_post', { chain_id: world.chain, title: 'x', content: 'x' });
    await block(world.keeper, world.founder);
    await expectRefused(db, post(world.founder), 'DC018');
    await expectRefused(db, () => reply(world.founder), 'DC018');
    await block(world.angel, world.other);
    // The post is hidden from who blocks its author: there is nothing to reply to.
    await expectRefused(db, () => reply(world.angel), 'DC004');
    await post(world.angel)();
  });

  it('are refused in a deleted chain and in reply to a deleted post', async () => {
    await call(world.other, 'delete_chain_post', { post_id: world.post });
    await expectRefused(db, () => reply(world.founder), 'DC004');
    await call(world.keeper, 'delete_chain', { chain_id: world.chain });
    await expectRefused(
      db,
      () =>
        call(world.other, 'create_chain_post', { chain_id: world.chain, title: 'x', content: 'x' }),
      'DC003',
    );
  });

  it('are changed by their authors', async () => {
    const edit = (account: string, args: Record<string, unknown>) =>
      call(account, 'edit_chain_post', { post_id: world.post, ...args });
    const edited = await edit(world.other, { title: 'Which pot?' });
    expect(edited).toMatchObject({ title: 'Which pot?', content: 'I look for one.' });
    expect(await expectNoWrite(db, () => edit(world.other, {}))).toEqual(edited);
    await expectRefused(db, () => edit(world.keeper, { title: 'Mine' }), 'DC007');
    await expectRefused(db, () => edit(world.other, { title: '' }), 'DC008');
    await expectRefused(db, () => edit(world.other, { post_id: '999999999' }), 'DC004');
    const answer = await reply(world.other);
    expect(
      await edit(world.other, { post_id: answer.id, title: 'No', content: 'That' }),
    ).toMatchObject({ title: '', content: 'That' });
    await expectRefused(
      db,
      () =>
        db.asAccount(world.keeper, (client) =>
          client.query("update app_public.chain_post set content = 'Mine' where id = $1", [
            world.post,
          ]),
        ),
      '42501',
    );
    await call(world.other, 'delete_chain_post', { post_id: world.post });
    await expectRefused(db, () => edit(world.other, { title: 'Back' }), 'DC004');
  });

  it('are deleted by their authors, the chain’s owner and moderators, once', async () => {
    const args = { post_id: world.post };
    await expectRefused(db, () => call(world.founder, 'delete_chain_post', args), 'DC007');
    await expectRefused(
      db,
      () => call(world.founder, 'delete_chain_post', { post_id: '999999999' }),
      'DC004',
    );
    const deleted = await call(world.keeper, 'delete_chain_post', args);
    expect(deleted).toMatchObject({ title: '', content: '' });
    expect(await expectNoWrite(db, () => call(world.other, 'delete_chain_post', args))).toEqual(
      deleted,
    );
    const second = await call(world.other, 'create_chain_post', {
      chain_id: world.chain,
      title: 'x',
      content: 'x',
    });
    expect(await asModerator('delete_chain_post', { post_id: second.id })).toMatchObject({
      content: '',
    });
  });
});
