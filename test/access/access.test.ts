import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addressOfKey, signInMessage } from '../../scripts/lib/sign-in.ts';
import { createAccount, expectRefused, one } from '../deliberation/community.ts';
import { caller, callOf, commit } from '../discovery/world.ts';
import {
  backendPid,
  createTestDatabase,
  expectSqlState,
  type TestDatabase,
  waitUntilBlocked,
} from '../lib/database.ts';

/*
 * Challenges, sessions and reports: each function under each role. That a signature was verified is
 * what the setting app.proven_address says, as the host puts it; test/api/sign-in.test.ts signs.
 */

let db: TestDatabase;
let call: ReturnType<typeof caller>;
let addresses = 0;

beforeAll(async () => {
  db = await createTestDatabase();
  call = caller(db);
});

afterAll(async () => {
  await db?.drop();
});

/** An address of nobody's. */
function newAddress(): string {
  addresses += 1;
  const bytes = new Uint8Array(32).fill(7);
  new DataView(bytes.buffer).setUint32(0, addresses);
  return addressOfKey(bytes);
}

async function challenge(address: string) {
  return await db.asAnonymous(
    (client) =>
      one<{ nonce: string; message: string; expires_at: Date }>(
        client,
        'select * from app_public.request_nonce($1)',
        [address],
      ),
    commit,
  );
}

interface Entry {
  account_id: string;
  session_id: string;
  role: string;
  expires_at: Date;
  is_new: boolean;
}

/** Consumes a challenge, as the host does once it has verified the signature. */
async function enter(
  proven: string,
  nonce: string,
  { as, device = '' }: { as?: string; device?: string } = {},
): Promise<Entry> {
  const work = async (client: Parameters<Parameters<typeof db.asAnonymous>[0]>[0]) => {
    await client.query("select set_config('app.proven_address', $1, true)", [proven]);
    const text = 'select * from app_hidden.sign_in($1, $2)';
    return (await one(client, text, [nonce, device])) as unknown as Entry;
  };
  return as === undefined ? db.asAnonymous(work, commit) : db.asAccount(as, work, commit);
}

async function signIn(address: string, options: { as?: string; device?: string } = {}) {
  return await enter(address, (await challenge(address)).nonce, options);
}

async function guest(): Promise<string> {
  const row = await db.asAnonymous(
    (client) => one(client, 'select * from app_hidden.open_guest_session()'),
    commit,
  );
  return row.account_id as string;
}

/** Runs work in the name of an account and in a session of it. */
function inSession<T>(entry: Entry, work: Parameters<typeof db.asAccount<T>>[1]): Promise<T> {
  return db.asAccount(
    entry.account_id,
    async (client) => {
      await client.query("select set_config('app.session_id', $1, true)", [entry.session_id]);
      return await work(client);
    },
    commit,
  );
}

describe('a challenge', () => {
  it('says what it is for, to whom, and ends', async () => {
    const address = newAddress();
    const made = await challenge(address);
    expect(made.nonce).toMatch(/^[0-9a-f]{32}$/);
    expect(made.message).toBe(signInMessage(address, made.nonce));
    const { rows } = await db.pool.query(
      'select expires_at - created_at as lasts from app_private.nonce where nonce = $1',
      [made.nonce],
    );
    expect(rows[0].lasts).toMatchObject({ minutes: 5 });
    expect((await challenge(address)).nonce).not.toBe(made.nonce);
  });

  it.each([
    '',
    'did:key:z6Mk',
    'did:web:example.org',
    `${newAddress()}x`,
    ` ${newAddress()}`,
    `did:key:z6Mk${'0'.repeat(44)}`,
    null,
  ])('for "%s" is refused', async (address) => {
    const text = 'select app_public.request_nonce($1)';
    await expectRefused(
      db,
      () => db.asAnonymous((client) => client.query(text, [address])),
      'AC012',
    );
  });

  it('is good for one use', async () => {
    const address = newAddress();
    const { nonce } = await challenge(address);
    await enter(address, nonce);
    await expectRefused(db, () => enter(address, nonce), 'AC011');
  });

  it('is good for its own address, and stays good when another tries', async () => {
    const [mine, other] = [newAddress(), newAddress()];
    const { nonce } = await challenge(mine);
    await expectRefused(db, () => enter(other, nonce), 'AC011');
    await expectRefused(db, () => enter(mine, 'made up'), 'AC011');
    await enter(mine, nonce);
  });

  it('is none when it has expired', async () => {
    const address = newAddress();
    const { nonce } = await challenge(address);
    await db.pool.query('update app_private.nonce set expires_at = now() where nonce = $1', [
      nonce,
    ]);
    await expectRefused(db, () => enter(address, nonce), 'AC011');
  });

  it('is nothing without a signature that the host has verified', async () => {
    const { nonce } = await challenge(newAddress());
    await expectRefused(db, () => enter('', nonce), 'AC013');
    await expectSqlState(
      db.asAnonymous((client) => client.query('select * from app_private.nonce')),
      '42501',
    );
  });

  it('that two requests use at once lets one of them in, whichever commits', async () => {
    for (const outcome of ['commit', 'rollback']) {
      const address = newAddress();
      const { nonce } = await challenge(address);
      const [first, second] = [await db.connect(), await db.connect()];
      for (const client of [first, second]) {
        await client.query('begin; set local role app_anonymous');
        await client.query("select set_config('app.proven_address', $1, true)", [address]);
      }
      const text = 'select * from app_hidden.sign_in($1)';
      await first.query(text, [nonce]);
      const pid = await backendPid(second);
      const result = second.query(text, [nonce]).then(
        () => 'in',
        (error) => error.code,
      );
      await waitUntilBlocked(db.pool, pid);
      await first.query(outcome);
      expect(await result).toBe(outcome === 'commit' ? 'AC011' : 'in');
      await second.query('rollback');
    }
  });

  it('that many requests use at once lets one of them in', async () => {
    const address = newAddress();
    const { nonce } = await challenge(address);
    const outcomes = await Promise.all(
      Array.from({ length: 12 }, () =>
        enter(address, nonce).then(
          () => 'in',
          (error) => error.code as string,
        ),
      ),
    );
    expect(outcomes.sort()).toEqual([...Array(11).fill('AC011'), 'in']);
  });
});

describe('signing in', () => {
  it('makes an account the first time, and finds it again', async () => {
    const address = newAddress();
    const first = await signIn(address, { device: ' Phone ' });
    const second = await signIn(address);
    expect([first.is_new, second.is_new]).toEqual([true, false]);
    expect(second.account_id).toBe(first.account_id);
    expect(second.session_id).not.toBe(first.session_id);
    expect(first.role).toBe('account');
    const { rows } = await inSession(first, (client) =>
      client.query(
        `select id, device_name, app_public.session_is_current(s) as current
        from app_public.my_sessions() s order by id`,
      ),
    );
    expect(rows).toEqual([
      { id: first.session_id, device_name: 'Phone', current: true },
      { id: second.session_id, device_name: '', current: false },
    ]);
  });

  it('for the first time from two devices at once makes one account', async () => {
    const address = newAddress();
    const nonces = await Promise.all(Array.from({ length: 6 }, () => challenge(address)));
    const entries = await Promise.all(nonces.map(({ nonce }) => enter(address, nonce)));
    expect(new Set(entries.map((it) => it.account_id)).size).toBe(1);
    expect(entries.filter((it) => it.is_new)).toHaveLength(1);
  });

  it('gives a moderator the role of one', async () => {
    const address = newAddress();
    const { account_id } = await signIn(address);
    await db.pool.query(
      "insert into app_private.account_role (account_id, role) values ($1, 'moderator')",
      [account_id],
    );
    expect((await signIn(address)).role).toBe('moderator');
  });

  it('after the account was deleted begins anew', async () => {
    const address = newAddress();
    const before = await signIn(address);
    const { nonce } = await challenge(address);
    await inSession(before, (client) => client.query('select app_public.delete_account()'));
    await expectRefused(db, () => enter(address, nonce), 'AC011');
    const after = await signIn(address);
    expect(after.is_new).toBe(true);
    expect(after.account_id).not.toBe(before.account_id);
    await expectSqlState(standing(before), 'AC010');
  });

  it('with a device name that is too long is refused, and the challenge stays', async () => {
    const address = newAddress();
    const { nonce } = await challenge(address);
    await expectRefused(db, () => enter(address, nonce, { device: 'x'.repeat(81) }), 'AC016');
    await enter(address, nonce, { device: 'x'.repeat(80) });
  });
});

/** Enters the session as the login of the API does. */
async function standing(entry: Pick<Entry, 'account_id' | 'session_id'>): Promise<unknown> {
  const { default: pg } = await import('pg');
  const client = new pg.Client({ connectionString: db.apiConnectionString });
  await client.connect();
  try {
    const { rows } = await client.query(
      `select set_config('role', 'app_account', true), set_config('app.account_id', $1, true),
        app_hidden.enter_session('app.session_id', $2, true) as session`,
      [entry.account_id, entry.session_id],
    );
    return rows[0].session;
  } finally {
    await client.end();
  }
}

describe('a session', () => {
  it('stands until it is signed out, alone or with all others', async () => {
    const address = newAddress();
    const [phone, laptop, tablet] = [
      await signIn(address),
      await signIn(address),
      await signIn(address),
    ];
    expect(await standing(phone)).toBe(phone.session_id);
    await inSession(phone, (client) => client.query('select app_public.sign_out()'));
    await expectSqlState(standing(phone), 'AC010');
    await inSession(laptop, (client) =>
      client.query('select app_public.sign_out($1)', [tablet.session_id]),
    );
    await expectSqlState(standing(tablet), 'AC010');
    expect(await standing(laptop)).toBe(laptop.session_id);
    const again = await signIn(address);
    const { rows } = await inSession(again, (client) =>
      client.query('select app_public.sign_out_everywhere() as count'),
    );
    expect(rows).toEqual([{ count: '2' }]);
    for (const entry of [laptop, again]) await expectSqlState(standing(entry), 'AC010');
  });

  it('ends by itself, unless it is extended', async () => {
    const entry = await signIn(newAddress());
    await db.pool.query(
      `update app_public.session set expires_at = now() + interval '1 day',
        last_seen_at = now() - interval '29 days' where id = $1`,
      [entry.session_id],
    );
    const { rows } = await inSession(entry, (client) =>
      client.query('select * from app_hidden.refresh_session()'),
    );
    expect(rows).toMatchObject([{ session_id: entry.session_id, is_new: false }]);
    const kept = await db.pool.query(
      `select expires_at - now() > interval '29 days' as extended,
        now() - last_seen_at < interval '1 hour' as seen
      from app_public.session where id = $1`,
      [entry.session_id],
    );
    expect(kept.rows).toEqual([{ extended: true, seen: true }]);
    await db.pool.query('update app_public.session set expires_at = now() where id = $1', [
      entry.session_id,
    ]);
    await expectSqlState(standing(entry), 'AC010');
  });

  it('is written by nothing that an ordinary request does', async () => {
    const entry = await signIn(newAddress());
    const version = () =>
      db.pool.query('select xmin::text from app_public.session where id = $1', [entry.session_id]);
    const before = (await version()).rows;
    await standing(entry);
    expect((await version()).rows).toEqual(before);
  });

  it('is its account’s alone', async () => {
    const [mine, other] = [await signIn(newAddress()), await signIn(newAddress())];
    const seen = await inSession(mine, (client) =>
      client.query('select id from app_public.session'),
    );
    expect(seen.rows).toEqual([{ id: mine.session_id }]);
    for (const [name, args] of [
      ['sign_out', { session_id: other.session_id }],
      ['rename_session', { session_id: other.session_id, device_name: 'Mine' }],
    ] as [string, Record<string, unknown>][]) {
      const { text, values } = callOf(name, args);
      await expectRefused(
        db,
        () => db.asAccount(mine.account_id, (client) => client.query(text, values)),
        'AC014',
      );
      await expectRefused(
        db,
        () => db.asAnonymous((client) => client.query(text, values)),
        'AC001',
      );
    }
    expect(await standing(other)).toBe(other.session_id);
    for (const text of [
      'update app_public.session set ended_at = now()',
      'delete from app_public.session',
      `insert into app_public.session (account_id, expires_at) values (${mine.account_id}, now())`,
    ]) {
      await expectSqlState(
        db.asAccount(mine.account_id, (client) => client.query(text)),
        '42501',
      );
    }
  });

  it('is named by its owner', async () => {
    const mine = await signIn(newAddress());
    const rename = (device_name: string) =>
      call(mine.account_id, 'rename_session', { session_id: mine.session_id, device_name });
    expect(await rename(' Laptop ')).toMatchObject({ device_name: 'Laptop' });
    await expectRefused(db, () => rename('x'.repeat(81)), 'AC016');
  });

  it('is needed to extend one, and to sign this device out', async () => {
    const account = await createAccount(db, 'No session');
    for (const text of ['select app_hidden.refresh_session()', 'select app_public.sign_out()']) {
      await expectRefused(db, () => db.asAccount(account, (client) => client.query(text)), 'AC015');
      await expectRefused(db, () => db.asAnonymous((client) => client.query(text)), 'AC001');
    }
  });

  it('is all that the login of the API may ask for', async () => {
    const { rows } = await db.pool.query(
      `select p.oid::regprocedure::text as name from pg_proc p
      join pg_namespace n on n.oid = p.pronamespace
      where n.nspname in ('app_public', 'app_hidden', 'app_private', 'millrace')
        and has_function_privilege('app_authenticator', p.oid, 'execute')`,
    );
    expect(rows).toEqual([{ name: 'app_hidden.enter_session(text,text,boolean)' }]);
    const tables = await db.pool.query(
      `select c.oid::regclass::text from pg_class c
      join pg_namespace n on n.oid = c.relnamespace
      where n.nspname in ('app_public', 'app_hidden', 'app_private')
        and c.relkind in ('r', 'v', 'm', 'p')
        and has_any_column_privilege('app_authenticator', c.oid, 'select')`,
    );
    expect(tables.rows).toEqual([]);
  });

  it('that ends is announced to hosts by the engine', async () => {
    const entry = await signIn(newAddress());
    await settleSessions();
    const listener = await db.connect();
    const heard: unknown[] = [];
    listener.on('notification', ({ payload }) => heard.push(JSON.parse(payload ?? '')));
    await listener.query('listen millrace');
    await inSession(entry, (client) => client.query('select app_public.sign_out()'));
    await settleSessions();
    // An answer to a later statement comes after what was notified before it.
    await listener.query('select 1');
    expect(heard).toContainEqual({
      relation: 'app_private.live_session',
      keys: [[Number(entry.session_id)]],
    });
    const standing = (await signIn(newAddress())).session_id;
    const asked = await db.asAnonymous((client) =>
      client.query('select app_hidden.ended_sessions($1) as id', [
        [entry.session_id, standing, '999999999'],
      ]),
    );
    expect(asked.rows.map(({ id }) => id)).toEqual([entry.session_id, '999999999']);
  });
});

async function settleSessions(): Promise<void> {
  await db.pool.query('select millrace.drain()');
  await db.pool.query("select millrace.run_now('app_private.live_session')");
}

describe('what has expired', () => {
  it('goes, and nothing else', async () => {
    const [kept, ended, old] = [
      await signIn(newAddress()),
      await signIn(newAddress()),
      await signIn(newAddress()),
    ];
    const stale = await challenge(newAddress());
    const fresh = await challenge(newAddress());
    await db.pool.query('update app_private.nonce set expires_at = now() where nonce = $1', [
      stale.nonce,
    ]);
    await db.pool.query('update app_public.session set expires_at = now() where id = $1', [
      ended.session_id,
    ]);
    await db.pool.query(
      "update app_public.session set ended_at = now() - interval '31 days' where id = $1",
      [old.session_id],
    );
    const run = async () =>
      (await db.pool.query('select app_private.expire_access() as done')).rows[0].done;
    const done = await run();
    expect(done.nonces).toBeGreaterThanOrEqual(1);
    expect(done.sessions_ended).toBeGreaterThanOrEqual(1);
    expect(done.sessions_deleted).toBe(1);
    const { rows } = await db.pool.query(
      `select id, ended_at is not null as ended from app_public.session
      where id = any ($1) order by id`,
      [[kept.session_id, ended.session_id, old.session_id]],
    );
    expect(rows).toEqual([
      { id: kept.session_id, ended: false },
      { id: ended.session_id, ended: true },
    ]);
    const nonces = await db.pool.query(
      'select nonce from app_private.nonce where nonce = any ($1)',
      [[stale.nonce, fresh.nonce]],
    );
    expect(nonces.rows).toEqual([{ nonce: fresh.nonce }]);
    expect(await run()).toEqual({ nonces: 0, sessions_ended: 0, sessions_deleted: 0 });
    const text = 'select app_private.expire_access()';
    await expectSqlState(
      db.asAnonymous((client) => client.query(text)),
      '42501',
    );
    await expectSqlState(
      db.asModerator(kept.account_id, (client) => client.query(text)),
      '42501',
    );
  });

  it('waits for nobody who holds it', async () => {
    const { nonce } = await challenge(newAddress());
    await db.pool.query('update app_private.nonce set expires_at = now() where nonce = $1', [
      nonce,
    ]);
    const holder = await db.connect();
    await holder.query('begin');
    await holder.query('select from app_private.nonce where nonce = $1 for update', [nonce]);
    const count = async () =>
      (await db.pool.query('select app_private.expire_access() as done')).rows[0].done.nonces;
    expect(await count()).toBe(0);
    await holder.query('rollback');
    expect(await count()).toBe(1);
  });
});

describe('a guest who signs in', () => {
  it('for the first time becomes the account, with everything', async () => {
    const me = await guest();
    const entry = await signIn(newAddress(), { as: me });
    expect(entry).toMatchObject({ account_id: me, is_new: true });
    const { rows } = await db.pool.query(
      `select is_guest, (select count(*)::int from app_public.session
        where account_id = $1 and ended_at is null) as sessions
      from app_public.account where id = $1`,
      [me],
    );
    expect(rows).toEqual([{ is_guest: false, sessions: 1 }]);
  });

  it('while suspended stays the guest', async () => {
    const me = await guest();
    await db.pool.query('update app_public.account set suspended_at = now() where id = $1', [me]);
    const entry = await signIn(newAddress(), { as: me });
    expect(entry.account_id).not.toBe(me);
    const { rows } = await db.pool.query(
      'select is_guest, deleted_at from app_public.account where id = $1',
      [me],
    );
    expect(rows).toEqual([{ is_guest: true, deleted_at: null }]);
  });

  it('as an account signs in, and takes nothing of another account along', async () => {
    const mine = await signIn(newAddress());
    const other = newAddress();
    const { account_id } = await signIn(other);
    expect((await signIn(other, { as: mine.account_id })).account_id).toBe(account_id);
    const { rows } = await db.pool.query(
      'select deleted_at from app_public.account where id = $1',
      [mine.account_id],
    );
    expect(rows).toEqual([{ deleted_at: null }]);
  });
});

describe('reports', () => {
  async function world() {
    const reporter = await createAccount(db, 'Rita');
    const author = await createAccount(db, 'Art');
    const moderator = await createAccount(db, 'Mona', { moderator: true });
    const conversation = await call(author, 'create_conversation', { topic: 'T' });
    const opinion = await call(author, 'create_opinion', {
      conversation_id: conversation.id,
      content: 'Nonsense',
    });
    return { reporter, author, moderator, opinion: opinion.id as string };
  }
  const file = (account: string, subject: string, subject_id: unknown, reason = 'Spam') =>
    call(account, 'create_report', { subject, subject_id, reason });
  const moderate = async (account: string, name: string, args: Record<string, unknown>) => {
    const { text, values } = callOf(name, args);
    return await db.asModerator(account, (client) => one(client, text, values), commit);
  };

  it('name what is reported, whose it is, and what it said', async () => {
    const { reporter, author, opinion } = await world();
    expect(await file(reporter, 'opinion', opinion, ' Untrue ')).toMatchObject({
      reporter_id: reporter,
      account_id: author,
      subject: 'opinion',
      subject_id: opinion,
      content: 'Nonsense',
      reason: 'Untrue',
      state: 'open',
    });
    expect(await file(reporter, 'account', author)).toMatchObject({ content: 'Art' });
  });

  it('are of everything that people write', async () => {
    const { reporter, author } = await world();
    const project = await call(author, 'create_project', { title: 'P' });
    const comment = await call(author, 'create_project_comment', {
      project_id: project.id,
      content: 'A comment',
    });
    const chain = await call(author, 'create_chain', { slug: `c-${author}`, name: 'C' });
    const chainPost = await call(author, 'create_chain_post', {
      chain_id: chain.id,
      title: 'Title',
      content: 'Text',
    });
    const agent = await call(author, 'create_agent', {
      handle: `rep_${author}`,
      display_name: 'Bot',
    });
    const update = await call(author, 'publish_update', {
      agent_id: agent.id,
      headline: 'Head',
      summary: 'Sum',
    });
    const post = await call(author, 'create_post', { agent_id: agent.id, content: 'Post' });
    const talk = await call(author, 'start_conversation', { account_ids: [reporter] });
    const message = await call(author, 'send_message', {
      conversation_id: talk.id,
      content: 'Psst',
    });
    for (const [subject, id, content] of [
      ['comment', comment.id, 'A comment'],
      ['chain_post', chainPost.id, 'Title\nText'],
      ['agent', agent.id, `rep_${author}\nBot\n`],
      ['agent_update', update.id, 'Head\nSum\n'],
      ['post', post.id, 'Post'],
      ['message', message.id, 'Psst'],
    ] as [string, string, string][]) {
      expect(await file(reporter, subject, id), subject).toMatchObject({
        account_id: author,
        content,
      });
    }
    // A message that one cannot read is none.
    const stranger = await createAccount(db, 'Stan');
    await expectRefused(db, () => file(stranger, 'message', message.id), 'AC017');
  });

  it('are refused of nothing, of oneself, without a reason, by nobody', async () => {
    const { reporter, author, opinion } = await world();
    await expectRefused(db, () => file(reporter, 'opinion', 999999), 'AC017');
    await expectRefused(db, () => file(author, 'opinion', opinion), 'AC018');
    await expectRefused(db, () => file(author, 'account', author), 'AC018');
    await expectRefused(db, () => file(reporter, 'opinion', opinion, ' '), 'AC019');
    await expectRefused(db, () => file(reporter, 'opinion', opinion, 'x'.repeat(2_001)), 'AC019');
    await expectRefused(
      db,
      () =>
        db.asAnonymous((client) =>
          client.query("select app_public.create_report('opinion', $1, 'Spam')", [opinion]),
        ),
      'AC001',
    );
  });

  it('are one at a time of each reporter and thing, also of two requests at once', async () => {
    const { reporter, moderator, opinion } = await world();
    const ids = await Promise.all([1, 2, 3].map(() => file(reporter, 'opinion', opinion)));
    expect(new Set(ids.map(({ id }) => id)).size).toBe(1);
    const other = await createAccount(db, 'Other');
    expect((await file(other, 'opinion', opinion)).id).not.toBe(ids[0]?.id);
    await moderate(moderator, 'decide_report', { report_id: ids[0]?.id, decision: 'dismiss' });
    const again = await file(reporter, 'opinion', opinion);
    expect(again.id).not.toBe(ids[0]?.id);
    // The older one of the same thing cannot be undecided beside it.
    await expectRefused(
      db,
      () => moderate(moderator, 'decide_report', { report_id: ids[0]?.id, decision: 'reopen' }),
      'AC022',
    );
  });

  it('go through their states, with a history', async () => {
    const { reporter, moderator, opinion } = await world();
    const { id } = await file(reporter, 'opinion', opinion);
    const step = (name: string, args: Record<string, unknown> = {}) =>
      moderate(moderator, name, { report_id: id, ...args });
    expect(await step('review_report', { note: 'Mine' })).toMatchObject({ state: 'reviewing' });
    await step('review_report');
    expect(await step('decide_report', { decision: 'uphold' })).toMatchObject({ state: 'upheld' });
    await step('decide_report', { decision: 'uphold' });
    for (const [name, args] of [
      ['decide_report', { decision: 'dismiss' }],
      ['review_report', {}],
    ] as [string, Record<string, unknown>][]) {
      await expectRefused(db, () => step(name, args), 'AC022');
    }
    expect(await step('decide_report', { decision: 'reopen' })).toMatchObject({
      state: 'open',
      decided_at: null,
    });
    const last = await step('decide_report', { decision: 'dismiss', note: 'No' });
    expect(last.decided_at).not.toBeNull();
    await expectRefused(db, () => step('decide_report', { decision: null }), 'AC021');
    const { rows } = await db.asModerator(moderator, (client) =>
      client.query(
        'select state, note from app_public.report_event where report_id = $1 order by id',
        [id],
      ),
    );
    expect(rows).toEqual([
      { state: 'reviewing', note: 'Mine' },
      { state: 'upheld', note: '' },
      { state: 'open', note: '' },
      { state: 'dismissed', note: 'No' },
    ]);
    await expectRefused(
      db,
      () => moderate(moderator, 'review_report', { report_id: 999999 }),
      'AC020',
    );
  });

  it('are decided by moderators, and seen by them and their reporter', async () => {
    const { reporter, author, moderator, opinion } = await world();
    const { id } = await file(reporter, 'opinion', opinion);
    for (const [name, args] of [
      ['review_report', { report_id: id }],
      ['decide_report', { report_id: id, decision: 'uphold' }],
    ] as [string, Record<string, unknown>][]) {
      await expectRefused(db, () => call(reporter, name, args), 'DL007');
      await expectRefused(db, () => moderate(author, name, args), 'AC003');
    }
    await moderate(moderator, 'review_report', { report_id: id });
    const seen = async (as: typeof db.asAnonymous) =>
      (
        await as((client) =>
          client.query(
            `select (select count(*)::int from app_public.report where id = $1) as reports,
              (select count(*)::int from app_public.report_event where report_id = $1) as events,
              (select count(*)::int from app_public.undecided_reports() where id = $1) as undecided`,
            [id],
          ),
        )
      ).rows[0];
    expect(await seen((work) => db.asModerator(moderator, work))).toEqual({
      reports: 1,
      events: 1,
      undecided: 1,
    });
    expect(await seen((work) => db.asAccount(reporter, work))).toEqual({
      reports: 1,
      events: 0,
      undecided: 0,
    });
    const nothing = { reports: 0, events: 0, undecided: 0 };
    expect(await seen(db.asAnonymous)).toEqual(nothing);
    expect(await seen((work) => db.asAccount(author, work))).toEqual(nothing);
  });
});
