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

const suspend = (account: string) =>
  db.pool.query('update app_public.account set suspended_at = now() where id = $1', [account]);
const request = (account: string, args: Record<string, unknown> = {}) =>
  call(account, 'request_intro', {
    project_id: world.project,
    investor_id: world.investor,
    message: 'Let us talk',
    ...args,
  });
const answer = (account: string, name: string, id: unknown, args = {}) =>
  call(account, name, { intro_request_id: id, ...args });
const introCount = async () =>
  (
    await one(
      db.pool,
      'select app_public.investor_intro_count(i)::int as count from app_public.investor i where id = $1',
      [world.investor],
    )
  ).count;

describe('save_investor', () => {
  const save = (account: string, args: Record<string, unknown>) =>
    call(account, 'save_investor', args);

  it('makes and changes the caller’s entry, and writes nothing for the same', async () => {
    const investor = await save(world.angel, {
      headline: ' Seeds ',
      stages: '{seed,pre_seed,seed}',
      sectors: ['Energy', 'energy'],
      min_check: 1000,
      max_check: 5000,
    });
    expect(investor).toMatchObject({
      id: world.investor,
      name: 'Angela invests',
      headline: 'Seeds',
      stages: '{pre_seed,seed}',
      sectors: ['energy'],
      min_check: '1000',
      max_check: '5000',
      is_open: true,
    });
    expect(await expectNoWrite(db, () => save(world.angel, { min_check: 1000 }))).toEqual(investor);
    expect(await save(world.angel, { min_check: -1, is_open: false })).toMatchObject({
      min_check: null,
      is_open: false,
    });
  });

  it.each<[string, Record<string, unknown>, string]>([
    ['no name', { name: '' }, 'DC008'],
    ['a long name', { name: 'x'.repeat(121) }, 'DC008'],
    ['a long thesis', { thesis: 'x'.repeat(5001) }, 'DC008'],
    ['a negative check', { min_check: -2 }, 'DC023'],
    ['an endless check', { max_check: 1_000_000_000_001 }, 'DC023'],
    ['bounds the wrong way round', { min_check: 2, max_check: 1 }, 'DC023'],
    ['too many sectors', { sectors: [...'abcdefghijklm'] }, 'DC009'],
    ['no address', { website_url: 'example.org' }, 'DC010'],
  ])('refuses %s', async (_, args, code) => {
    await expectRefused(db, () => save(world.angel, args), code);
  });

  it('needs a name to begin with', async () => {
    await expectRefused(db, () => save(world.other, { headline: 'x' }), 'DC008');
  });

  it('ends with delete_investor, with the open requests, and begins again', async () => {
    const sent = await request(world.founder);
    const gone = await call(world.angel, 'delete_investor', {});
    expect(gone.deleted_at).toBeInstanceOf(Date);
    expect(await expectNoWrite(db, () => call(world.angel, 'delete_investor', {}))).toEqual(gone);
    expect(
      await one(db.pool, 'select state from app_public.intro_request where id = $1', [sent.id]),
    ).toEqual({ state: 'declined' });
    await expectRefused(db, () => request(world.founder), 'DC005');
    const { rows } = await db.asAccount(world.founder, (client) =>
      client.query('select from app_public.investor where id = $1', [world.investor]),
    );
    expect(rows).toEqual([]);
    expect(await save(world.angel, {})).toMatchObject({ id: world.investor, deleted_at: null });
    expect(await expectNoWrite(db, () => call(world.other, 'delete_investor', {}))).toMatchObject({
      id: null,
    });
  });
});

describe('request_intro', () => {
  it('asks the investor for the founder, and the founder for the investor', async () => {
    const sent = await request(world.founder, { message: ' Let us talk ' });
    expect(sent).toMatchObject({
      requester_id: world.founder,
      recipient_id: world.angel,
      state: 'requested',
      message: 'Let us talk',
      ended_at: null,
    });
    const project = await call(world.other, 'create_project', { title: 'Another' });
    expect(await request(world.angel, { project_id: project.id })).toMatchObject({
      requester_id: world.angel,
      recipient_id: world.other,
    });
  });

  it('asks once; who was asked is told to answer', async () => {
    const sent = await request(world.founder);
    expect(await expectNoWrite(db, () => request(world.founder, { message: 'Again' }))).toEqual(
      sent,
    );
    const error = await expectRefused(db, () => request(world.angel), 'DC021');
    expect(error.detail).toContain(String(sent.id));
    const accepted = await answer(world.angel, 'accept_intro', sent.id);
    expect(await expectNoWrite(db, () => request(world.founder))).toEqual(accepted);
    expect(await expectNoWrite(db, () => request(world.angel))).toEqual(accepted);
  });

  it('can be sent again when withdrawn or expired, but not for 30 days when declined', async () => {
    const first = await request(world.founder);
    await answer(world.founder, 'withdraw_intro', first.id);
    const second = await request(world.founder);
    expect(second.id).not.toBe(first.id);
    await db.pool.query(
      "update app_public.intro_request set expires_at = now() - interval '1 second' where id = $1",
      [second.id],
    );
    const third = await request(world.founder);
    expect(third.id).not.toBe(second.id);
    expect(
      await one(db.pool, 'select state from app_public.intro_request where id = $1', [second.id]),
    ).toEqual({ state: 'expired' });
    await answer(world.angel, 'decline_intro', third.id, { answer: 'Not now' });
    await expectRefused(db, () => request(world.founder), 'DC025');
    await db.pool.query(
      "update app_public.intro_request set ended_at = now() - interval '31 days' where id = $1",
      [third.id],
    );
    expect(await request(world.founder)).toMatchObject({ state: 'requested' });
  });

  it('lets who declined ask the other', async () => {
    const sent = await request(world.founder);
    await answer(world.angel, 'decline_intro', sent.id);
    expect(await request(world.angel)).toMatchObject({ requester_id: world.angel });
  });

  it('is refused to others, to oneself, and for what is not there', async () => {
    await expectRefused(db, () => request(world.other), 'DC019');
    await expectRefused(db, () => request(world.founder, { project_id: '999999999' }), 'DC001');
    await expectRefused(db, () => request(world.founder, { investor_id: '999999999' }), 'DC005');
    await expectRefused(db, () => request(world.founder, { message: ' ' }), 'DC008');
    await expectRefused(db, () => request(world.founder, { message: 'x'.repeat(2001) }), 'DC008');
    const own = await call(world.angel, 'create_project', { title: 'Mine' });
    await expectRefused(db, () => request(world.angel, { project_id: own.id }), 'DC024');
    const { text, values } = callOf('request_intro', {
      project_id: world.project,
      investor_id: world.investor,
      message: 'x',
    });
    await expectRefused(db, () => db.asAnonymous((client) => client.query(text, values)), 'AC001');
    await call(world.founder, 'delete_project', { project_id: world.project });
    await expectRefused(db, () => request(world.founder), 'DC001');
  });

  it('is refused where one blocks the other, and by suspension', async () => {
    await call(world.angel, 'block_account', { account_id: world.founder });
    await expectRefused(db, () => request(world.founder), 'DC018');
    await expectRefused(db, () => request(world.angel), 'DC018');
    await call(world.angel, 'unblock_account', { account_id: world.founder });
    await suspend(world.founder);
    await expectRefused(db, () => request(world.founder), 'AC005');
  });

  it('respects that an investor takes no requests, who may still ask', async () => {
    await call(world.angel, 'save_investor', { is_open: false });
    await expectRefused(db, () => request(world.founder), 'DC022');
    expect(await request(world.angel)).toMatchObject({ state: 'requested' });
  });

  it('cannot be forged by plain SQL', async () => {
    const insert = `insert into app_public.intro_request
      (project_id, investor_id, requester_id, recipient_id, message) values ($1, $2, $3, $4, 'x')`;
    const as = (account: string, requester: unknown, recipient: unknown) => () =>
      db.asAccount(account, (client) =>
        client.query(insert, [world.project, world.investor, requester, recipient]),
      );
    await expectRefused(db, as(world.other, world.founder, world.angel), '42501');
    await expectRefused(db, as(world.other, world.other, world.angel), 'DC019');
    await expectRefused(db, as(world.founder, world.founder, world.other), 'DC019');
    await expectRefused(db, as(world.founder, world.founder, null), 'DC019');
    const sent = await request(world.founder);
    const update = (account: string, state: string) => () =>
      db.asAccount(account, (client) =>
        client.query(
          'update app_public.intro_request set state = $2, ended_at = now() where id = $1',
          [sent.id, state],
        ),
      );
    await expectRefused(db, update(world.founder, 'accepted'), '42501');
    await expectRefused(db, update(world.angel, 'withdrawn'), '42501');
    await expectRefused(db, update(world.angel, 'expired'), '42501');
    await expectNoWrite(db, update(world.other, 'accepted'));
  });
});

describe('answers', () => {
  it('accept once, and count', async () => {
    const { id } = await request(world.founder);
    const accepted = await answer(world.angel, 'accept_intro', id, { answer: ' Gladly ' });
    expect(accepted).toMatchObject({ state: 'accepted', answer: 'Gladly' });
    expect(await introCount()).toBe(1);
    expect(
      await expectNoWrite(db, () => answer(world.angel, 'accept_intro', id, { answer: 'Again' })),
    ).toEqual(accepted);
    await expectRefused(db, () => answer(world.angel, 'decline_intro', id), 'DC020');
    await expectRefused(db, () => answer(world.founder, 'withdraw_intro', id), 'DC020');
  });

  it('decline and withdraw once', async () => {
    const { id } = await request(world.founder);
    const declined = await answer(world.angel, 'decline_intro', id, { answer: 'No' });
    expect(declined).toMatchObject({ state: 'declined', answer: 'No' });
    expect(await expectNoWrite(db, () => answer(world.angel, 'decline_intro', id))).toEqual(
      declined,
    );
    await expectRefused(db, () => answer(world.angel, 'accept_intro', id), 'DC020');
    const second = await request(world.angel);
    const withdrawn = await answer(world.angel, 'withdraw_intro', second.id);
    expect(withdrawn).toMatchObject({ state: 'withdrawn' });
    expect(await expectNoWrite(db, () => answer(world.angel, 'withdraw_intro', second.id))).toEqual(
      withdrawn,
    );
    await expectRefused(db, () => answer(world.founder, 'accept_intro', second.id), 'DC020');
    expect(await introCount()).toBe(0);
  });

  it('are refused to the other side, and unknown to everybody else', async () => {
    const { id } = await request(world.founder);
    await expectRefused(db, () => answer(world.founder, 'accept_intro', id), 'DC007');
    await expectRefused(db, () => answer(world.founder, 'decline_intro', id), 'DC007');
    await expectRefused(db, () => answer(world.angel, 'withdraw_intro', id), 'DC007');
    for (const name of ['accept_intro', 'decline_intro', 'withdraw_intro']) {
      await expectRefused(db, () => answer(world.other, name, id), 'DC006');
      await expectRefused(db, () => answer(world.angel, name, '999999999'), 'DC006');
      const { text, values } = callOf(name, { intro_request_id: id });
      await expectRefused(
        db,
        () => db.asAnonymous((client) => client.query(text, values)),
        'AC001',
      );
    }
    await expectRefused(
      db,
      () => answer(world.angel, 'accept_intro', id, { answer: 'x'.repeat(2001) }),
      'DC008',
    );
  });

  it('come too late after the time is up, with or without the task', async () => {
    const { id } = await request(world.founder);
    await db.pool.query(
      "update app_public.intro_request set expires_at = now() - interval '1 second' where id = $1",
      [id],
    );
    for (const [account, name] of [
      [world.angel, 'accept_intro'],
      [world.angel, 'decline_intro'],
      [world.founder, 'withdraw_intro'],
    ] as const) {
      const error = await expectRefused(db, () => answer(account, name, id), 'DC020');
      expect(error.detail).toContain('expired');
    }
    await db.pool.query('select app_private.expire_overdue_intro_requests()');
    await expectRefused(db, () => answer(world.angel, 'accept_intro', id), 'DC020');
  });

  it('accept nothing of somebody blocked, or for a deleted project', async () => {
    const { id } = await request(world.founder);
    await call(world.founder, 'block_account', { account_id: world.angel });
    await expectRefused(db, () => answer(world.angel, 'accept_intro', id), 'DC018');
    await call(world.founder, 'unblock_account', { account_id: world.angel });
    const { text, values } = callOf('delete_project', { project_id: world.project });
    await db.asModerator(world.moderator, (client) => client.query(text, values), commit);
    await expectRefused(db, () => answer(world.angel, 'accept_intro', id), 'DC001');
    expect(await answer(world.angel, 'decline_intro', id)).toMatchObject({ state: 'declined' });
  });

  it('of suspended accounts decline and withdraw, but say nothing', async () => {
    const { id } = await request(world.founder);
    await suspend(world.angel);
    await expectRefused(db, () => answer(world.angel, 'accept_intro', id), 'AC005');
    await expectRefused(
      db,
      () => answer(world.angel, 'decline_intro', id, { answer: 'Rude' }),
      'AC005',
    );
    await answer(world.angel, 'decline_intro', id);
    const second = await call(world.other, 'create_project', { title: 'Second' });
    const sent = await request(world.other, { project_id: second.id });
    await suspend(world.other);
    await answer(world.other, 'withdraw_intro', sent.id);
  });
});

describe('expire_overdue_intro_requests', () => {
  it('ends what is overdue, in order, and nothing else', async () => {
    const ids: unknown[] = [];
    for (const title of ['a', 'b', 'c']) {
      const project = await call(world.founder, 'create_project', { title });
      ids.push((await request(world.founder, { project_id: project.id })).id);
    }
    await db.pool.query(
      `update app_public.intro_request
      set expires_at = now() - case when id = $1 then interval '2 hours' else interval '1 hour' end
      where id = any ($2)`,
      [ids[1], ids.slice(0, 2)],
    );
    const expire = (size: number) =>
      one(db.pool, 'select app_private.expire_overdue_intro_requests($1)::int as count', [size]);
    const states = async () =>
      (
        await db.pool.query(
          `select state, ended_at is not distinct from expires_at as "at expiry"
          from app_public.intro_request where id = any ($1) order by id`,
          [ids],
        )
      ).rows.map((row) => (row['at expiry'] ? row.state : `open ${row.state}`));
    expect(await expire(1)).toEqual({ count: 1 });
    expect(await states()).toEqual(['open requested', 'expired', 'open requested']);
    expect(await expire(10)).toEqual({ count: 1 });
    expect(await states()).toEqual(['expired', 'expired', 'open requested']);
    expect(await expectNoWrite(db, () => expire(10))).toEqual({ count: 0 });
  });

  it('leaves out what somebody is just answering', async () => {
    const { id } = await request(world.founder);
    await db.pool.query(
      "update app_public.intro_request set expires_at = now() - interval '1 hour' where id = $1",
      [id],
    );
    const client = await db.connect();
    await client.query('begin');
    await client.query('select from app_public.intro_request where id = $1 for no key update', [
      id,
    ]);
    const skipped = await one(
      db.pool,
      'select app_private.expire_overdue_intro_requests()::int as count',
    );
    expect(skipped).toEqual({ count: 0 });
    await client.query('rollback');
    const taken = await one(
      db.pool,
      'select app_private.expire_overdue_intro_requests()::int as count',
    );
    expect(taken).toEqual({ count: 1 });
  });
});

describe('lists of requests', () => {
  it('are each account’s own, by state if asked', async () => {
    const sent = await request(world.founder);
    const stranger = await createAccount(db, 'Stranger');
    const list = (account: string, name: string, state: string | null = null) =>
      db.asAccount(account, async (client) =>
        (await client.query(`select id from app_public.${name}($1)`, [state])).rows.map(
          ({ id }) => id,
        ),
      );
    expect(await list(world.founder, 'sent_intro_requests')).toEqual([sent.id]);
    expect(await list(world.founder, 'received_intro_requests')).toEqual([]);
    expect(await list(world.angel, 'received_intro_requests', 'requested')).toEqual([sent.id]);
    expect(await list(world.angel, 'received_intro_requests', 'accepted')).toEqual([]);
    expect(await list(stranger, 'sent_intro_requests')).toEqual([]);
    const all = (account: string) =>
      db.asAccount(account, (client) => client.query('select from app_public.intro_request'));
    expect((await all(stranger)).rows).toEqual([]);
    expect(
      (await db.asAnonymous((c) => c.query('select from app_public.intro_request'))).rows,
    ).toEqual([]);
    const asModerator = await db.asModerator(world.moderator, (client) =>
      client.query('select from app_public.intro_request'),
    );
    expect(asModerator.rows).toEqual([]);
  });
});
