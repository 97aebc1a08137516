import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createAccount, expectNoWrite, expectRefused, one } from '../deliberation/community.ts';
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

const visitor = (name: string, args: Record<string, unknown>) => {
  const { text, values } = callOf(name, args);
  return db.asAnonymous((client) => one(client, text, values));
};

describe('create_project', () => {
  it('shows a project of the caller’s, with what was typed put in order', async () => {
    const project = await call(world.founder, 'create_project', {
      title: '  Wind  ',
      tagline: ' A mill ',
      description: 'Long\n',
      website_url: ' https://example.org/mill ',
      tags: ['  Open   Source ', 'wind', 'Wind', '', null],
    });
    expect(project).toMatchObject({
      owner_id: world.founder,
      title: 'Wind',
      tagline: 'A mill',
      description: 'Long',
      website_url: 'https://example.org/mill',
      tags: ['open source', 'wind'],
      deleted_at: null,
    });
    const seen = await db.asAnonymous((client) =>
      one(client, 'select title from app_public.project where id = $1', [project.id]),
    );
    expect(seen).toEqual({ title: 'Wind' });
  });

  it('makes one project of a request that comes twice, and of two accounts’ two', async () => {
    const request_id = randomUUID();
    const first = await call(world.founder, 'create_project', { title: 'One', request_id });
    const again = await expectNoWrite(db, () =>
      call(world.founder, 'create_project', { title: 'Other words', request_id }),
    );
    expect(again).toEqual(first);
    const others = await call(world.other, 'create_project', { title: 'One', request_id });
    expect(others.id).not.toBe(first.id);
    const unnamed = await call(world.founder, 'create_project', { title: 'One' });
    expect(unnamed.id).not.toBe(first.id);
  });

  it.each<[string, Record<string, unknown>, string]>([
    ['no title', { title: ' \n' }, 'DC008'],
    ['a null title', { title: null }, 'DC008'],
    ['a long title', { title: 'x'.repeat(121) }, 'DC008'],
    ['a long tagline', { title: 'x', tagline: 'x'.repeat(201) }, 'DC008'],
    ['a long description', { title: 'x', description: 'x'.repeat(20001) }, 'DC008'],
    ['a script as address', { title: 'x', website_url: 'javascript:alert(1)' }, 'DC010'],
    ['white space in the address', { title: 'x', website_url: 'https://a b' }, 'DC010'],
    ['a long address', { title: 'x', website_url: `https://${'a'.repeat(500)}` }, 'DC010'],
    ['nine tags', { title: 'x', tags: [...'abcdefghi'] }, 'DC009'],
    ['a long tag', { title: 'x', tags: ['x'.repeat(31)] }, 'DC009'],
  ])('refuses %s', async (_, args, code) => {
    await expectRefused(db, () => call(world.founder, 'create_project', args), code);
  });

  it('takes everything at its limit', async () => {
    const project = await call(world.founder, 'create_project', {
      title: '🜂'.repeat(120),
      tagline: 'x'.repeat(200),
      description: 'x'.repeat(20000),
      website_url: `http://${'a'.repeat(493)}`,
      tags: [...'abcdefgh'].map((letter) => letter.repeat(30)),
    });
    expect(project.tags).toHaveLength(8);
  });

  it('is refused to visitors, suspended and deleted accounts', async () => {
    await expectRefused(db, () => visitor('create_project', { title: 'x' }), 'AC001');
    await db.pool.query('update app_public.account set suspended_at = now() where id = $1', [
      world.other,
    ]);
    await expectRefused(db, () => call(world.other, 'create_project', { title: 'x' }), 'AC005');
    const gone = await createAccount(db, 'Gone');
    await db.asAccount(
      gone,
      (client) => client.query('select app_public.delete_account()'),
      commit,
    );
    await expectRefused(db, () => call(gone, 'create_project', { title: 'x' }), 'AC002');
  });
});

describe('update_project', () => {
  const update = (account: string, args: Record<string, unknown>) =>
    call(account, 'update_project', { project_id: world.project, ...args });

  it('changes what is given and leaves the rest', async () => {
    await update(world.founder, { tagline: 'Boils by the sun', tags: ['Sun'] });
    const project = await update(world.founder, { website_url: 'https://kettle.example' });
    expect(project).toMatchObject({
      title: 'Solar kettle',
      tagline: 'Boils by the sun',
      tags: ['sun'],
      website_url: 'https://kettle.example',
    });
    expect(project.updated_at).toBeInstanceOf(Date);
    expect(await update(world.founder, { website_url: '' })).toMatchObject({ website_url: null });
  });

  it('writes nothing when nothing changes', async () => {
    const before = await update(world.founder, { tagline: 'Same' });
    const after = await expectNoWrite(db, () => update(world.founder, { tagline: ' Same ' }));
    expect(after).toEqual(before);
  });

  it('is refused to others, moderators too, and for what does not exist', async () => {
    await expectRefused(db, () => update(world.other, { title: 'Mine' }), 'DC007');
    const { text, values } = callOf('update_project', { project_id: world.project, title: 'Mine' });
    await expectRefused(
      db,
      () => db.asModerator(world.moderator, (client) => client.query(text, values)),
      'DC007',
    );
    await expectRefused(db, () => update(world.founder, { title: ' ' }), 'DC008');
    await expectRefused(
      db,
      () => call(world.founder, 'update_project', { project_id: '999999999', title: 'x' }),
      'DC001',
    );
    await call(world.founder, 'delete_project', { project_id: world.project });
    await expectRefused(db, () => update(world.founder, { title: 'Back' }), 'DC001');
  });
});

describe('delete_project', () => {
  it('takes the project out of the world, once', async () => {
    const project = await call(world.founder, 'delete_project', { project_id: world.project });
    expect(project.deleted_at).toBeInstanceOf(Date);
    const again = await expectNoWrite(db, () =>
      call(world.founder, 'delete_project', { project_id: world.project }),
    );
    expect(again).toEqual(project);
    const { rows } = await db.asAccount(world.other, (client) =>
      client.query('select from app_public.project where id = $1', [world.project]),
    );
    expect(rows).toEqual([]);
  });

  it('is for its owner, suspended or not, and for moderators', async () => {
    const args = { project_id: world.project };
    await expectRefused(db, () => call(world.other, 'delete_project', args), 'DC007');
    await expectRefused(db, () => call(world.validator, 'delete_project', args), 'DC007');
    await expectRefused(
      db,
      () => call(world.founder, 'delete_project', { project_id: '999999999' }),
      'DC001',
    );
    await db.pool.query('update app_public.account set suspended_at = now() where id = $1', [
      world.founder,
    ]);
    await call(world.founder, 'delete_project', args);
    await expectRefused(db, () => call(world.other, 'delete_project', args), 'DC001');

    const second = await call(world.other, 'create_project', { title: 'Spam' });
    const { text, values } = callOf('delete_project', { project_id: second.id });
    const deleted = await db.asModerator(world.moderator, (client) => one(client, text, values));
    expect(deleted.deleted_at).toBeInstanceOf(Date);
  });

  it('ends the open intro requests of its owner', async () => {
    const sent = await call(world.founder, 'request_intro', {
      project_id: world.project,
      investor_id: world.investor,
      message: 'Hello',
    });
    await call(world.founder, 'delete_project', { project_id: world.project });
    const { rows } = await db.pool.query(
      'select state from app_public.intro_request where id = $1',
      [sent.id],
    );
    expect(rows).toEqual([{ state: 'withdrawn' }]);
  });
});

describe('toggle_upvote', () => {
  const toggle = (account: string, upvoted?: boolean | null) =>
    call(account, 'toggle_upvote', {
      project_id: world.project,
      ...(upvoted === undefined ? {} : { upvoted }),
    });
  const state = async (account: string) =>
    await db.asAccount(account, (client) =>
      one(
        client,
        `select app_public.project_upvote_count(p)::int as count,
          app_public.project_viewer_has_upvoted(p) as viewer
        from app_public.project p where id = $1`,
        [world.project],
      ),
    );

  it('switches, and says so at once', async () => {
    const said = await toggle(world.other);
    expect(said).toEqual({
      project_id: world.project,
      upvote_count: '1',
      viewer_has_upvoted: true,
    });
    expect(await state(world.other)).toEqual({ count: 1, viewer: true });
    expect(await state(world.keeper)).toEqual({ count: 1, viewer: false });
    await toggle(world.keeper);
    await toggle(world.other);
    expect(await state(world.other)).toEqual({ count: 1, viewer: false });
    await toggle(world.other, null);
    expect(await state(world.other)).toEqual({ count: 2, viewer: true });
  });

  it('does as it is told, once', async () => {
    await expectNoWrite(db, () => toggle(world.other, false));
    await toggle(world.other, true);
    await expectNoWrite(db, () => toggle(world.other, true));
    expect(await state(world.other)).toEqual({ count: 1, viewer: true });
    await toggle(world.other, false);
    await expectNoWrite(db, () => toggle(world.other, false));
    expect(await state(world.other)).toEqual({ count: 0, viewer: false });
    const { rows } = await db.pool.query(
      'select from app_public.project_upvote where project_id = $1',
      [world.project],
    );
    expect(rows).toHaveLength(1);
  });

  it('shows a visitor the count and nobody’s name', async () => {
    await toggle(world.other);
    const seen = await db.asAnonymous((client) =>
      one(
        client,
        `select app_public.project_upvote_count(p)::int as count,
          app_public.project_viewer_has_upvoted(p) as viewer,
          (select count(*)::int from app_public.project_upvote) as rows
        from app_public.project p where id = $1`,
        [world.project],
      ),
    );
    expect(seen).toEqual({ count: 1, viewer: false, rows: 0 });
  });

  it('is refused for one’s own project, a deleted one, and one that never was', async () => {
    await expectRefused(db, () => toggle(world.founder), 'DC011');
    await expectRefused(db, () => toggle(world.founder, true), 'DC011');
    await expectRefused(
      db,
      () => call(world.other, 'toggle_upvote', { project_id: '999999999' }),
      'DC001',
    );
    await expectRefused(db, () => visitor('toggle_upvote', { project_id: world.project }), 'AC001');
    await toggle(world.other);
    await call(world.founder, 'delete_project', { project_id: world.project });
    await expectRefused(db, () => toggle(world.other), 'DC001');
    await expectRefused(db, () => toggle(world.other, false), 'DC001');
    await expectRefused(db, () => toggle(world.keeper, true), 'DC001');
  });

  it('cannot be given for others, nor for oneself by plain SQL', async () => {
    const insert = `insert into app_public.project_upvote (project_id, account_id) values ($1, $2)`;
    const as = (account: string, voter: string) => () =>
      db.asAccount(account, (client) => client.query(insert, [world.project, voter]));
    await expectRefused(db, as(world.other, world.keeper), '42501');
    await expectRefused(db, as(world.founder, world.founder), 'DC011');
    await toggle(world.other);
    await expectNoWrite(db, () =>
      db.asAccount(
        world.keeper,
        (client) => client.query('update app_public.project_upvote set withdrawn_at = now()'),
        commit,
      ),
    );
  });
});

describe('delete_account', () => {
  it('takes all along that the account has in discovery', async () => {
    const { founder, other, chain, project } = world;
    await call(other, 'toggle_upvote', { project_id: project });
    await call(other, 'create_project_comment', { project_id: project, content: 'Nice' });
    await call(other, 'follow_chain', { chain_id: chain });
    await call(other, 'save_profile', { bio: 'I am' });
    const own = await call(other, 'create_project', { title: 'Mine' });
    await call(founder, 'toggle_upvote', { project_id: own.id });
    const { id: investor } = await call(other, 'save_investor', { name: 'Otis & sons' });
    const asked = await call(founder, 'request_intro', {
      project_id: project,
      investor_id: investor,
      message: 'Hello',
    });
    await db.asAccount(
      other,
      (client) => client.query('select app_public.delete_account()'),
      commit,
    );
    const after = await one(
      db.pool,
      `select
        (select deleted_at is not null from app_public.project where id = $1) as project,
        (select app_public.project_upvote_count(p)::int from app_public.project p where id = $2)
          as upvotes,
        (select app_public.project_comment_count(p)::int from app_public.project p where id = $2)
          as comments,
        (select string_agg(content, '') from app_public.project_comment where author_id = $3)
          as content,
        (select app_public.chain_follower_count(c)::int from app_public.chain c where id = $4)
          as followers,
        (select string_agg(title || content, '') from app_public.chain_post where author_id = $3)
          as posts,
        (select bio from app_public.profile where account_id = $3) as bio,
        (select deleted_at is not null from app_public.investor where id = $5) as investor,
        (select state from app_public.intro_request where id = $6) as intro`,
      [own.id, project, other, chain, investor, asked.id],
    );
    expect(after).toEqual({
      project: true,
      upvotes: 0,
      comments: 0,
      content: '',
      followers: 0,
      posts: '',
      bio: '',
      investor: true,
      intro: 'declined',
    });
  });
});

describe('save_profile', () => {
  it('makes and changes the caller’s profile, and writes nothing for the same', async () => {
    const profile = await call(world.other, 'save_profile', {
      headline: ' Builds ',
      skills: ['SQL', 'sql', ' Woodwork '],
    });
    expect(profile).toMatchObject({
      account_id: world.other,
      headline: 'Builds',
      bio: '',
      skills: ['sql', 'woodwork'],
    });
    const again = await call(world.other, 'save_profile', { location: 'Graz' });
    expect(again).toMatchObject({ headline: 'Builds', location: 'Graz' });
    await expectNoWrite(db, () => call(world.other, 'save_profile', { location: 'Graz' }));
    await expectNoWrite(db, () => call(world.other, 'save_profile', {}));
  });

  it.each<[string, Record<string, unknown>, string]>([
    ['a long headline', { headline: 'x'.repeat(161) }, 'DC008'],
    ['a long bio', { bio: 'x'.repeat(4001) }, 'DC008'],
    ['a long location', { location: 'x'.repeat(101) }, 'DC008'],
    ['too many skills', { skills: Array.from({ length: 21 }, (_, i) => `s${i}`) }, 'DC009'],
    ['another kind of address', { website_url: 'ftp://example.org' }, 'DC010'],
  ])('refuses %s', async (_, args, code) => {
    await expectRefused(db, () => call(world.other, 'save_profile', args), code);
  });

  it('is for one’s own, and no visitor’s', async () => {
    await expectRefused(db, () => visitor('save_profile', { bio: 'x' }), 'AC001');
    await call(world.other, 'save_profile', { bio: 'Mine' });
    await expectNoWrite(db, () =>
      db.asAccount(
        world.founder,
        (client) => client.query("update app_public.profile set bio = 'Yours'"),
        commit,
      ),
    );
    await expectRefused(
      db,
      () =>
        db.asAccount(world.founder, (client) =>
          client.query('insert into app_public.profile (account_id) values ($1)', [world.keeper]),
        ),
      '42501',
    );
  });
});
