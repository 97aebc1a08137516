import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAccount, expectRefused } from '../deliberation/community.ts';
import { caller, callOf, commit, settle } from '../discovery/world.ts';
import { createTestDatabase, expectSqlState, type TestDatabase } from '../lib/database.ts';
import { TABLES } from '../lib/tables.ts';

/* What each function does under each role, what it refuses, and who sees which rows. */

type Args = Record<string, unknown>;

let db: TestDatabase;
let call: ReturnType<typeof caller>;
let owner: string;
let fan: string;
let stranger: string;
let moderator: string;
let suspended: string;
let deleted: string;
let agent: string;
let update: string;
let post: string;
let handles = 0;

beforeAll(async () => {
  db = await createTestDatabase();
  call = caller(db);
  owner = await createAccount(db, 'Olga');
  fan = await createAccount(db, 'Fanny');
  stranger = await createAccount(db, 'Stan');
  moderator = await createAccount(db, 'Mona', { moderator: true });
  suspended = await createAccount(db, 'Sue');
  deleted = await createAccount(db, 'Dora');
  await call(deleted, 'delete_account', {});
  agent = await makeAgent(owner, 'Weather_Bot');
  await call(fan, 'follow_agent', { agent_id: agent });
  update = await publish(agent, 'Rain');
  post = (await call(owner, 'create_post', { agent_id: agent, content: 'Hi' })).id as string;
  await call(fan, 'like_post', { post_id: post });
  await db.asModerator(
    moderator,
    (client) => client.query('select app_public.suspend_account($1)', [suspended]),
    commit,
  );
});

afterAll(async () => {
  await db?.drop();
});

async function makeAgent(account: string, handle = `agent_${++handles}`): Promise<string> {
  return (await call(account, 'create_agent', { handle, display_name: 'Agent' })).id as string;
}

async function publish(agentId: string, headline: string, account = owner): Promise<string> {
  return (await call(account, 'publish_update', { agent_id: agentId, headline })).id as string;
}

/** Calls a function under a role and keeps nothing. */
function attempt(account: string | null, name: string, args: Args, asModerator = false) {
  const { text, values } = callOf(name, args);
  if (account === null) return db.asAnonymous((client) => client.query(text, values));
  return asModerator
    ? db.asModerator(account, (client) => client.query(text, values))
    : db.asAccount(account, (client) => client.query(text, values));
}

const refused = (account: string | null, name: string, args: Args, code: string) =>
  expectRefused(db, () => attempt(account, name, args), code);

/** The feed of an account, newest first. */
async function feedOf(account: string): Promise<{ update: string; read: boolean }[]> {
  const { rows } = await db.asAccount(account, (client) =>
    client.query(`select update_id as update, is_read as read from app_public.agent_feed()
      order by published_at desc, update_id desc`),
  );
  return rows;
}

async function unreadOf(account: string, agentId: string): Promise<[number, number]> {
  const { rows } = await db.asAccount(account, (client) =>
    client.query(
      `select app_hidden.unread_update_count()::int as all,
        (select app_public.agent_unread_count(a)::int from app_public.agent a where a.id = $1) as one`,
      [agentId],
    ),
  );
  return [rows[0].all, rows[0].one];
}

describe('handles', () => {
  it('are unique whatever the case, and are found whatever the case', async () => {
    await refused(
      stranger,
      'create_agent',
      { handle: 'WEATHER_bot', display_name: 'Me too' },
      'AG004',
    );
    const { rows } = await attempt(null, 'agent_by_handle', { handle: ' wEATHER_BOT ' });
    expect(rows).toMatchObject([{ id: agent, handle: 'Weather_Bot' }]);
  });

  it.each(['', 'ab', '1abc', '_abc', 'a b c', 'with-dash', 'ünïcode', 'a'.repeat(31), 'a\u0430bc'])(
    '"%s" has another form',
    async (handle) => {
      await refused(owner, 'create_agent', { handle, display_name: 'X' }, 'AG003');
    },
  );

  it.each(['admin', 'Admin', 'MILLRACE', 'graphql'])('%s is reserved', async (handle) => {
    await refused(owner, 'create_agent', { handle, display_name: 'X' }, 'AG005');
  });

  it('stay taken when their agent is deleted', async () => {
    const gone = await makeAgent(stranger, 'short_lived');
    await call(stranger, 'delete_agent', { agent_id: gone });
    await refused(owner, 'create_agent', { handle: 'short_lived', display_name: 'X' }, 'AG004');
    expect((await attempt(null, 'agent_by_handle', { handle: 'short_lived' })).rows).toMatchObject([
      { id: null },
    ]);
  });
});

describe('what the owner does', () => {
  it('a request that comes again makes nothing again', async () => {
    const request_id = randomUUID();
    const twice = async (name: string, args: Args) => {
      const first = await call(owner, name, { ...args, request_id });
      expect((await call(owner, name, { ...args, request_id })).id).toBe(first.id);
      return first.id as string;
    };
    const made = await twice('create_agent', { handle: 'twice_made', display_name: 'Twice' });
    await twice('publish_update', { agent_id: made, headline: 'Once' });
    await twice('create_post', { agent_id: made, content: 'Once' });
  });

  it('changes what they said; the same again writes nothing', async () => {
    const mine = await makeAgent(owner);
    const row = await call(owner, 'update_agent', { agent_id: mine, bio: ' New ' });
    expect(row).toMatchObject({ bio: 'New', display_name: 'Agent' });
    const again = await call(owner, 'update_agent', { agent_id: mine, bio: 'New' });
    expect(again.updated_at).toEqual(row.updated_at);
    const told = await publish(mine, 'Headline');
    const edited = await call(owner, 'edit_update', { update_id: told, details: 'More' });
    expect(edited).toMatchObject({ headline: 'Headline', summary: '', details: 'More' });
    expect((await call(owner, 'edit_update', { update_id: told })).edited_at).toEqual(
      edited.edited_at,
    );
  });

  it('deletes; twice changes nothing, and what is deleted is seen by nobody', async () => {
    const mine = await makeAgent(owner);
    const told = await publish(mine, 'Gone soon');
    const said = (await call(owner, 'create_post', { agent_id: mine, content: 'Gone' })).id;
    const first = await call(owner, 'delete_update', { update_id: told });
    expect(first).toMatchObject({ headline: '', summary: '', details: '' });
    expect(await call(owner, 'delete_update', { update_id: told })).toEqual(first);
    expect((await call(owner, 'delete_post', { post_id: said })).content).toBe('');
    await refused(fan, 'mark_update_read', { update_id: told }, 'AG008');
    await refused(fan, 'like_post', { post_id: said }, 'AG009');
    const left = await publish(mine, 'Left');
    const gone = await call(owner, 'delete_agent', { agent_id: mine });
    expect(await call(owner, 'delete_agent', { agent_id: mine })).toEqual(gone);
    await refused(owner, 'publish_update', { agent_id: mine, headline: 'X' }, 'AG001');
    await refused(owner, 'edit_update', { update_id: left, headline: 'X' }, 'AG008');
    await refused(fan, 'follow_agent', { agent_id: mine }, 'AG001');
    for (const viewer of [owner, fan, moderator]) {
      const { rows } = await db.asAccount(viewer, (client) =>
        client.query(
          `select (select count(*)::int from app_public.agent where id = $1) as agents,
            (select count(*)::int from app_public.agent_update where agent_id = $1) as updates,
            (select count(*)::int from app_public.post where agent_id = $1) as posts`,
          [mine],
        ),
      );
      expect(rows).toEqual([{ agents: 0, updates: 0, posts: 0 }]);
    }
  });

  it('nobody else does, but a moderator deletes what is said', async () => {
    for (const [name, args] of [
      ['update_agent', { agent_id: agent, bio: 'Mine' }],
      ['delete_agent', { agent_id: agent }],
      ['publish_update', { agent_id: agent, headline: 'Fake' }],
      ['edit_update', { update_id: update, headline: 'Fake' }],
      ['delete_update', { update_id: update }],
      ['create_post', { agent_id: agent, content: 'Fake' }],
      ['delete_post', { post_id: post }],
    ] as [string, Args][]) {
      await refused(stranger, name, args, 'AG002');
      await refused(null, name, args, 'AC001');
      await refused(deleted, name, args, 'AC002');
    }
    for (const [name, args] of [
      ['delete_update', { update_id: update }],
      ['delete_post', { post_id: post }],
    ] as [string, Args][]) {
      expect((await attempt(moderator, name, args, true)).rows[0].deleted_at).not.toBeNull();
      // The role in a token is not enough.
      await expectSqlState(attempt(stranger, name, args, true), 'AC003');
    }
  });

  it('has bounds to what can be said', async () => {
    for (const [name, args] of [
      ['create_agent', { handle: 'long_name', display_name: 'x'.repeat(81) }],
      ['create_agent', { handle: 'no_name', display_name: '  ' }],
      ['create_agent', { handle: 'long_bio', display_name: 'X', bio: 'x'.repeat(2_001) }],
      ['publish_update', { agent_id: agent, headline: '' }],
      ['publish_update', { agent_id: agent, headline: 'x'.repeat(161) }],
      ['publish_update', { agent_id: agent, headline: 'X', summary: 'x'.repeat(1_001) }],
      ['publish_update', { agent_id: agent, headline: 'X', details: 'x'.repeat(20_001) }],
      ['create_post', { agent_id: agent, content: ' \n ' }],
      ['create_post', { agent_id: agent, content: 'x'.repeat(5_001) }],
    ] as [string, Args][]) {
      await refused(owner, name, args, 'AG006');
    }
    const site = { handle: 'bad_site', display_name: 'X', website_url: 'javascript:alert(1)' };
    await refused(owner, 'create_agent', site, 'DC010');
    const widest = { headline: 'ä'.repeat(160), summary: '字'.repeat(1_000) };
    await call(owner, 'publish_update', {
      agent_id: await makeAgent(owner),
      ...widest,
      details: 'x'.repeat(20_000),
    });
  });

  it('at most 500 agents', async () => {
    const many = await createAccount(db, 'Many');
    await db.pool.query(
      `insert into app_public.agent (owner_id, handle, display_name)
      select $1, 'many_' || n, 'Many' from generate_series(1, 500) n`,
      [many],
    );
    await refused(many, 'create_agent', { handle: 'one_more', display_name: 'X' }, 'AG007');
    const first = 'select id from app_public.agent where owner_id = $1 order by id limit 1';
    const { rows } = await db.pool.query(first, [many]);
    await call(many, 'delete_agent', { agent_id: rows[0].id });
    await makeAgent(many);
  });
});

describe('followers', () => {
  it('follow, like and read as often as they want', async () => {
    const mine = await makeAgent(owner);
    const said = (await call(owner, 'create_post', { agent_id: mine, content: 'Hi' })).id;
    const counts = async () =>
      (
        await db.pool.query(
          `select app_public.agent_follower_count(a)::int as followers,
            app_public.agent_like_count(a)::int as likes from app_public.agent a where id = $1`,
          [mine],
        )
      ).rows[0];
    for (let time = 0; time < 2; time += 1) {
      await call(fan, 'follow_agent', { agent_id: mine });
      await call(fan, 'like_post', { post_id: said });
      expect(await counts()).toEqual({ followers: 1, likes: 1 });
    }
    for (let time = 0; time < 2; time += 1) {
      await call(fan, 'unfollow_agent', { agent_id: mine });
      await call(fan, 'unlike_post', { post_id: said });
      expect(await counts()).toEqual({ followers: 0, likes: 0 });
    }
    await call(fan, 'follow_agent', { agent_id: mine });
    expect(await counts()).toEqual({ followers: 1, likes: 0 });
  });

  it('are others than the owner', async () => {
    await refused(owner, 'follow_agent', { agent_id: agent }, 'AG010');
    await refused(owner, 'like_post', { post_id: post }, 'AG010');
  });

  it('who are suspended read and unfollow, and begin nothing', async () => {
    for (const [name, args] of [
      ['create_agent', { handle: 'suspended', display_name: 'X' }],
      ['follow_agent', { agent_id: agent }],
      ['like_post', { post_id: post }],
    ] as [string, Args][]) {
      await refused(suspended, name, args, 'AC005');
    }
    for (const [name, args] of [
      ['unfollow_agent', { agent_id: agent }],
      ['unlike_post', { post_id: post }],
      ['mark_update_read', { update_id: update }],
      ['mark_updates_read', {}],
    ] as [string, Args][]) {
      await attempt(suspended, name, args);
    }
  });

  it('are somebody', async () => {
    for (const [name, args] of [
      ['follow_agent', { agent_id: agent }],
      ['unfollow_agent', { agent_id: agent }],
      ['like_post', { post_id: post }],
      ['unlike_post', { post_id: post }],
      ['mark_update_read', { update_id: update }],
      ['mark_updates_read', {}],
    ] as [string, Args][]) {
      await refused(null, name, args, 'AC001');
      await refused(deleted, name, args, 'AC002');
    }
  });
});

describe('the feed', () => {
  it('has what is published since one follows, unread until it is marked, at every moment', async () => {
    const reader = await createAccount(db, 'Rita');
    const [one, two] = [await makeAgent(owner), await makeAgent(owner)];
    await publish(one, 'Before');
    await call(reader, 'follow_agent', { agent_id: one });
    await call(reader, 'follow_agent', { agent_id: two });
    const a = await publish(one, 'A');
    const b = await publish(two, 'B');
    const c = await publish(one, 'C');
    const expected = [
      { update: c, read: false },
      { update: b, read: false },
      { update: a, read: false },
    ];
    // Undrained, drained, recomputed: no difference.
    expect(await feedOf(reader)).toEqual(expected);
    await db.pool.query('select millrace.drain()');
    expect(await feedOf(reader)).toEqual(expected);
    await settle(db);
    expect(await feedOf(reader)).toEqual(expected);
    expect(await unreadOf(reader, one)).toEqual([3, 2]);

    await call(reader, 'mark_update_read', { update_id: b });
    await call(reader, 'mark_update_read', { update_id: b });
    expect(await feedOf(reader)).toEqual([expected[0], { update: b, read: true }, expected[2]]);
    expect(await unreadOf(reader, one)).toEqual([2, 2]);
    expect(await call(reader, 'mark_updates_read', { agent_id: one })).toEqual({
      mark_updates_read: '2',
    });
    expect(await call(reader, 'mark_updates_read', {})).toEqual({ mark_updates_read: '0' });
    expect(await unreadOf(reader, one)).toEqual([0, 0]);

    const d = await publish(one, 'D');
    expect(await unreadOf(reader, one)).toEqual([1, 1]);
    await call(owner, 'delete_update', { update_id: d });
    expect(await unreadOf(reader, one)).toEqual([0, 0]);
    await call(reader, 'unfollow_agent', { agent_id: one });
    expect((await feedOf(reader)).map((it) => it.update)).toEqual([b]);
    await call(reader, 'follow_agent', { agent_id: one });
    expect((await feedOf(reader)).map((it) => it.update)).toEqual([b]);
    const e = await publish(two, 'E');
    await call(owner, 'delete_agent', { agent_id: two });
    expect(await feedOf(reader)).toEqual([]);
    expect(await unreadOf(reader, two)).toEqual([0, null]);
    await settle(db);
    expect(await feedOf(reader)).toEqual([]);
    expect(e).toBeDefined();
  });

  it('is told apart by what is read and not by time: a late commit stays unread', async () => {
    const reader = await createAccount(db, 'Rita');
    const mine = await makeAgent(owner);
    await call(reader, 'follow_agent', { agent_id: mine });
    const late = await db.connect();
    await late.query('begin; set local role app_account');
    await late.query("select set_config('app.account_id', $1, true)", [owner]);
    const text = 'select id from app_public.publish_update($1, $2)';
    const { rows } = await late.query(text, [mine, 'Late']);
    const early = await publish(mine, 'Published later, committed earlier');
    expect(await call(reader, 'mark_updates_read', {})).toEqual({ mark_updates_read: '1' });
    await late.query('commit');
    expect(await feedOf(reader)).toEqual([
      { update: early, read: true },
      { update: rows[0].id, read: false },
    ]);
    expect(await unreadOf(reader, mine)).toEqual([1, 1]);
  });

  it('is nobody else’s', async () => {
    const { rows } = await db.asAnonymous((client) =>
      client.query(`select (select count(*)::int from app_public.agent_feed()) as feed,
        (select count(*)::int from app_public.agent_feed_item_live) as live,
        (select count(*)::int from app_public.agent_feed_item) as stored,
        app_hidden.unread_update_count()::int as unread`),
    );
    expect(rows).toEqual([{ feed: 0, live: 0, stored: 0, unread: 0 }]);
    const mine = await db.asAccount(fan, (client) =>
      client.query('select distinct account_id from app_public.agent_feed_item_live'),
    );
    expect(mine.rows).toEqual([{ account_id: fan }]);
  });

  it('goes on while its relation is paused', async () => {
    await db.pool.query("select millrace.pause('app_public.agent_feed_item')");
    const told = await publish(agent, 'While paused');
    expect((await feedOf(fan))[0]).toEqual({ update: told, read: false });
    await db.pool.query("select millrace.resume('app_public.agent_feed_item')");
    expect((await feedOf(fan))[0]).toEqual({ update: told, read: false });
  });
});

describe('a block', () => {
  it.each(['the owner blocks', 'the follower blocks'])('%s: hides and refuses', async (who) => {
    const [artist, reader] = [await createAccount(db, 'Art'), await createAccount(db, 'Ria')];
    const mine = await makeAgent(artist);
    const told = await publish(mine, 'Told', artist);
    const said = (await call(artist, 'create_post', { agent_id: mine, content: 'Said' })).id;
    await call(reader, 'follow_agent', { agent_id: mine });
    await publish(mine, 'In the feed', artist);
    expect(await feedOf(reader)).toHaveLength(1);
    const [blocker, blocked] = who === 'the owner blocks' ? [artist, reader] : [reader, artist];
    await call(blocker, 'block_account', { account_id: blocked });

    expect(await feedOf(reader)).toEqual([]);
    expect(await unreadOf(reader, mine)).toEqual([0, null]);
    for (const [name, args, code] of [
      ['follow_agent', { agent_id: mine }, 'AG001'],
      ['like_post', { post_id: said }, 'AG009'],
      ['mark_update_read', { update_id: told }, 'AG008'],
    ] as [string, Args, string][]) {
      await refused(reader, name, args, code);
    }
    const seen = async (account: string) =>
      (
        await db.asAccount(account, (client) =>
          client.query(
            `select (select count(*)::int from app_public.agent where id = $1) as agents,
              (select count(*)::int from app_public.agent_update where agent_id = $1) as updates,
              (select count(*)::int from app_public.post where agent_id = $1) as posts,
              (select count(*)::int from app_public.newest_agents() where id = $1) as listed`,
            [mine],
          ),
        )
      ).rows[0];
    expect(await seen(reader)).toEqual({ agents: 0, updates: 0, posts: 0, listed: 0 });
    expect(await seen(artist)).toEqual({ agents: 1, updates: 2, posts: 1, listed: 1 });
    expect(await seen(stranger)).toEqual({ agents: 1, updates: 2, posts: 1, listed: 1 });
    await call(blocker, 'unblock_account', { account_id: blocked });
    expect(await seen(reader)).toEqual({ agents: 1, updates: 2, posts: 1, listed: 1 });
    // It ended the follow, and taking it back does not begin it again.
    expect(await feedOf(reader)).toEqual([]);
  });

  it('that commits beside a follow hides all the same', async () => {
    const [artist, reader] = [await createAccount(db, 'Art'), await createAccount(db, 'Ria')];
    const mine = await makeAgent(artist);
    await call(reader, 'follow_agent', { agent_id: mine });
    await publish(mine, 'Told', artist);
    await db.pool.query('insert into app_public.block (blocker_id, blocked_id) values ($1, $2)', [
      artist,
      reader,
    ]);
    expect(await feedOf(reader)).toEqual([]);
    expect(await unreadOf(reader, mine)).toEqual([0, null]);
  });
});

it('deleting the account deletes its agents and ends its follows and likes', async () => {
  const leaver = await createAccount(db, 'Lea');
  const mine = await makeAgent(leaver);
  await call(leaver, 'follow_agent', { agent_id: agent });
  await call(leaver, 'like_post', { post_id: post });
  await call(leaver, 'mark_update_read', { update_id: update });
  await call(leaver, 'delete_account', {});
  const { rows } = await db.pool.query(
    `select (select deleted_at is not null from app_public.agent where id = $2) as agent,
      (select count(*)::int from app_public.agent_follow
        where account_id = $1 and unfollowed_at is null) as follows,
      (select count(*)::int from app_public.post_like
        where account_id = $1 and withdrawn_at is null) as likes,
      (select count(*)::int from app_public.update_read where account_id = $1) as reads`,
    [leaver, mine],
  );
  expect(rows).toEqual([{ agent: true, follows: 0, likes: 0, reads: 0 }]);
});

describe('rights', () => {
  const seen = async (as: typeof db.asAnonymous) =>
    (
      await as((client) =>
        client.query(`select
          (select count(*)::int from app_public.agent_follow) as follows,
          (select count(*)::int from app_public.post_like) as likes,
          (select count(*)::int from app_public.update_read) as reads`),
      )
    ).rows[0];

  it('to see follows, likes and reads are their account’s', async () => {
    expect(await seen(db.asAnonymous)).toEqual({ follows: 0, likes: 0, reads: 0 });
    expect(await seen((work) => db.asAccount(stranger, work))).toEqual({
      follows: 0,
      likes: 0,
      reads: 0,
    });
    expect(await seen((work) => db.asModerator(moderator, work))).toEqual({
      follows: 0,
      likes: 0,
      reads: 0,
    });
    const own = await seen((work) => db.asAccount(fan, work));
    expect(own.follows).toBeGreaterThan(0);
    expect(own.likes).toBeGreaterThan(0);
  });

  it('to write are no API role’s, on any table but what they have read', async () => {
    const { rows } = await db.pool.query(
      `select c.oid::regclass::text, r.role, p.privilege
      from pg_class c
      cross join unnest('{app_anonymous,app_account,app_moderator}'::text[]) as r (role)
      cross join unnest('{INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) as p (privilege)
      where c.oid = any ($1::regclass[]) and (
        has_table_privilege(r.role, c.oid, p.privilege)
        or (p.privilege in ('INSERT', 'UPDATE', 'REFERENCES')
          and has_any_column_privilege(r.role, c.oid, p.privilege)))`,
      [
        [...TABLES.agents, 'agent_feed_item', 'agent_feed_item_live']
          .map((name) => `app_public.${name}`)
          .concat('app_private.reserved_handle'),
      ],
    );
    expect(rows).toEqual(
      ['app_account', 'app_moderator'].map((role) => ({
        oid: 'app_public.update_read',
        role,
        privilege: 'INSERT',
      })),
    );
  });

  it('to mark as read are for oneself, and what one can see', async () => {
    const insert = (account: string, reader: string, read: string) =>
      db.asAccount(account, (client) =>
        client.query('insert into app_public.update_read (account_id, update_id) values ($1, $2)', [
          reader,
          read,
        ]),
      );
    await insert(stranger, stranger, update);
    await expectRefused(db, () => insert(stranger, fan, update), '42501');
    const gone = await publish(agent, 'Gone');
    await call(owner, 'delete_update', { update_id: gone });
    await expectRefused(db, () => insert(stranger, stranger, gone), '42501');
  });
});
