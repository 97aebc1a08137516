import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  type Community,
  castVote,
  createAccount,
  createCommunity,
  expectNoWrite,
  expectRefused,
  one,
} from '../deliberation/community.ts';
import {
  backendPid,
  createTestDatabase,
  type TestDatabase,
  waitUntilBlocked,
} from '../lib/database.ts';

let db: TestDatabase;
let community: Community;
let ann: string;
let ben: string;
const commit = { commit: true };

beforeAll(async () => {
  db = await createTestDatabase();
  community = await createCommunity(db);
});

afterAll(async () => {
  await db?.drop();
});

beforeEach(async () => {
  ann = await createAccount(db, 'Ann');
  ben = await createAccount(db, 'Ben');
});

const call = (account: string, text: string, values: unknown[]) =>
  db.asAccount(account, (client) => one(client, text, values), commit);
const block = (account: string, other: unknown) =>
  call(account, 'select * from app_public.block_account($1)', [other]);
const unblock = (account: string, other: unknown) =>
  call(account, 'select * from app_public.unblock_account($1)', [other]);

async function isBlockedBetween(a: string | null, b: string | null): Promise<unknown> {
  const row = await db.asAnonymous((client) =>
    one(client, 'select app_hidden.is_blocked_between($1, $2) as blocked', [a, b]),
  );
  return row.blocked;
}

describe('block_account', () => {
  it('is one row, that the blocker alone sees, and that counts in both directions', async () => {
    expect(await block(ann, ben)).toMatchObject({ id: ben, display_name: 'Ben' });
    const seen = (account: string) =>
      db.asAccount(account, async (client) => {
        const { rows } = await client.query('select blocker_id, blocked_id from app_public.block');
        return rows;
      });
    expect(await seen(ann)).toEqual([{ blocker_id: ann, blocked_id: ben }]);
    expect(await seen(ben)).toEqual([]);
    const asModerator = await db.asModerator(community.moderator, (client) =>
      client.query('select from app_public.block'),
    );
    expect(asModerator.rows).toEqual([]);
    const asVisitor = await db.asAnonymous((client) =>
      client.query('select from app_public.block'),
    );
    expect(asVisitor.rows).toEqual([]);
    expect(await isBlockedBetween(ann, ben)).toBe(true);
    expect(await isBlockedBetween(ben, ann)).toBe(true);
    expect(await isBlockedBetween(ann, community.owner)).toBe(false);
    expect(await isBlockedBetween(null, ben)).toBe(false);
    expect(await isBlockedBetween(ann, null)).toBe(false);
  });

  it('repeated changes nothing, at the same moment neither', async () => {
    await block(ann, ben);
    await expectNoWrite(db, () => block(ann, ben));
    const cia = await createAccount(db, 'Cia');
    await Promise.all([block(ann, cia), block(ann, cia), block(cia, ann)]);
    const { rows } = await db.pool.query(
      `select count(*)::int from app_public.block
      where $1 in (blocker_id, blocked_id) and $2 in (blocker_id, blocked_id)`,
      [ann, cia],
    );
    expect(rows).toEqual([{ count: 2 }]);
  });

  it('refuses oneself and accounts that are not there', async () => {
    await expectRefused(db, () => block(ann, ann), 'AC007');
    for (const other of [community.deleted, '999999999', '-1', null]) {
      await expectRefused(db, () => block(ann, other), 'AC006');
    }
  });

  it('is written in nobody else’s name: the policy, not only the function', async () => {
    const insert = 'insert into app_public.block (blocker_id, blocked_id) values ($1, $2)';
    await expectRefused(
      db,
      () => db.asAccount(ann, (client) => client.query(insert, [ben, ann])),
      '42501',
    );
    await expectRefused(
      db,
      () =>
        db.asAccount(ann, (client) =>
          client.query('update app_public.block set created_at = now()'),
        ),
      '42501',
    );
    await block(ann, ben);
    const removed = await db.asAccount(ben, (client) =>
      client.query('delete from app_public.block'),
    );
    expect(removed.rowCount).toBe(0);
  });
});

describe('unblock_account', () => {
  it('takes back the caller’s block and leaves the other’s', async () => {
    await block(ann, ben);
    await block(ben, ann);
    expect(await unblock(ann, ben)).toMatchObject({ id: ben });
    expect(await isBlockedBetween(ann, ben)).toBe(true);
    await unblock(ben, ann);
    expect(await isBlockedBetween(ann, ben)).toBe(false);
  });

  it('of what is not blocked changes nothing; nobody comes back for nobody', async () => {
    await expectNoWrite(db, () => unblock(ann, ben));
    expect(await unblock(ann, '999999999')).toMatchObject({ id: null });
    await block(ann, ben);
    await db.asAccount(ben, (client) => client.query('select app_public.delete_account()'), commit);
    expect(await unblock(ann, ben)).toMatchObject({ id: null });
    expect(await isBlockedBetween(ann, ben)).toBe(false);
  });
});

describe('account_viewer_has_blocked', () => {
  it('is the viewer’s own side only', async () => {
    await block(ann, ben);
    const text = `select app_public.account_viewer_has_blocked(a) as has
      from app_public.account a where a.id = $1`;
    const answers = [
      await db.asAccount(ann, (client) => one(client, text, [ben])),
      await db.asAccount(ben, (client) => one(client, text, [ann])),
      await db.asAnonymous((client) => one(client, text, [ben])),
    ];
    expect(answers).toEqual([{ has: true }, { has: false }, { has: false }]);
  });
});

describe('suspend_account', () => {
  const suspend = (account: unknown, reason?: string | null) =>
    db.asModerator(
      community.moderator,
      (client) =>
        reason === undefined
          ? one(client, 'select * from app_public.suspend_account($1)', [account])
          : one(client, 'select * from app_public.suspend_account($1, $2)', [account, reason]),
      commit,
    );
  const unsuspend = (account: unknown) =>
    db.asModerator(
      community.moderator,
      (client) => one(client, 'select * from app_public.unsuspend_account($1)', [account]),
      commit,
    );
  const history = async (client: pg.ClientBase | pg.Pool) =>
    (
      await client.query(
        `select moderator_id, reason, withdrawn_at is not null as withdrawn, withdrawn_by_id
        from app_public.account_suspension where account_id = $1 order by id`,
        [ann],
      )
    ).rows;

  it('takes effect at once, and its history says who, why, and who withdrew it', async () => {
    const { moderator, opinion } = community;
    expect((await suspend(ann, ' Spam ')).suspended_at).toBeInstanceOf(Date);
    await expectRefused(
      db,
      () => db.asAccount(ann, (client) => castVote(client, opinion, 'agree')),
      'AC005',
    );
    expect((await unsuspend(ann)).suspended_at).toBeNull();
    await db.asAccount(ann, (client) => castVote(client, opinion, 'agree'));
    await suspend(ann);
    expect(await history(db.pool)).toEqual([
      { moderator_id: moderator, reason: 'Spam', withdrawn: true, withdrawn_by_id: moderator },
      { moderator_id: moderator, reason: '', withdrawn: false, withdrawn_by_id: null },
    ]);
  });

  it('shows its history to moderators and the account itself', async () => {
    await suspend(ann, 'Spam');
    expect(await db.asAccount(ann, history)).toHaveLength(1);
    expect(await db.asModerator(community.moderator, history)).toHaveLength(1);
    expect(await db.asAccount(community.moderator, history)).toEqual([]);
    expect(await db.asModerator(community.formerModerator, history)).toEqual([]);
    expect(await db.asAccount(ben, history)).toEqual([]);
    expect(await db.asAnonymous(history)).toEqual([]);
  });

  it('repeated changes nothing and keeps the first reason; withdrawn twice neither', async () => {
    await suspend(ann, 'Spam');
    await expectNoWrite(db, () => suspend(ann, 'Other'));
    await unsuspend(ann);
    await expectNoWrite(db, () => unsuspend(ann));
  });

  it('is for moderators, and never of one', async () => {
    const text = 'select app_public.suspend_account($1)';
    for (const name of ['suspend_account', 'unsuspend_account']) {
      await expectRefused(
        db,
        () => db.asAccount(ben, (client) => client.query(`select app_public.${name}($1)`, [ann])),
        'DL007',
      );
      await expectRefused(
        db,
        () =>
          db.asAccount(community.moderator, (client) =>
            client.query(`select app_public.${name}($1)`, [ann]),
          ),
        'DL007',
      );
    }
    const colleague = await createAccount(db, 'Moe', { moderator: true });
    for (const moderator of [community.moderator, colleague]) {
      await expectRefused(
        db,
        () => db.asModerator(community.moderator, (client) => client.query(text, [moderator])),
        'AC008',
      );
    }
  });

  it('refuses accounts that are not there, and a reason that is too long', async () => {
    for (const account of [community.deleted, '999999999', null]) {
      await expectRefused(db, () => suspend(account), 'AC006');
      await expectRefused(db, () => unsuspend(account), 'AC006');
    }
    await expectRefused(db, () => suspend(ann, 'x'.repeat(2001)), 'AC009');
    expect(await suspend(ann, '我'.repeat(2000))).toMatchObject({ id: ann });
  });

  it('ends a moderator’s rights who becomes one while suspended', async () => {
    await suspend(ann);
    await db.pool.query(
      "insert into app_private.account_role (account_id, role) values ($1, 'moderator')",
      [ann],
    );
    const { answer } = await db.asModerator(ann, (client) =>
      one(client, 'select app_hidden.is_moderator() as answer'),
    );
    expect(answer).toBe(false);
    await expectRefused(
      db,
      () =>
        db.asModerator(ann, (client) =>
          client.query('select app_public.unsuspend_account($1)', [ann]),
        ),
      'AC005',
    );
  });

  it('leaves it no way to lift it: no API role writes the column or the history', async () => {
    await suspend(ann);
    for (const text of [
      'update app_public.account set suspended_at = null',
      'update app_public.account_suspension set withdrawn_at = now()',
      'delete from app_public.account_suspension',
    ]) {
      const roles = [
        () => db.asAnonymous((client) => client.query(text)),
        () => db.asAccount(ann, (client) => client.query(text)),
        () => db.asModerator(community.moderator, (client) => client.query(text)),
      ];
      for (const role of roles) await expectRefused(db, role, '42501');
    }
  });

  it('lets it take back its own, block others, and delete its account', async () => {
    const { opinion } = community;
    await db.asAccount(ann, (client) => castVote(client, opinion, 'agree'), commit);
    await suspend(ann);
    await db.asAccount(
      ann,
      async (client) => {
        await client.query('select app_public.cancel_vote($1)', [opinion]);
        await client.query('select app_public.block_account($1)', [ben]);
        const gone = await one(client, 'select * from app_public.delete_account()');
        expect(gone.deleted_at).toBeInstanceOf(Date);
      },
      commit,
    );
  });

  it('waits for no vote in flight, and no vote for it', async () => {
    const { opinion, moderator } = community;
    const vote = await db.connect();
    const suspension = await db.connect();
    await vote.query(`begin; set local role app_account; set local lock_timeout = '5s'`);
    await vote.query("select set_config('app.account_id', $1, true)", [ann]);
    await castVote(vote, opinion, 'agree');
    await suspension.query(`begin; set local role app_moderator; set local lock_timeout = '5s'`);
    await suspension.query("select set_config('app.account_id', $1, true)", [moderator]);
    await one(suspension, 'select app_public.suspend_account($1)', [ann]);
    await castVote(vote, opinion, 'pass');
    await suspension.query('commit');
    await vote.query('commit');
    await expectRefused(
      db,
      () => db.asAccount(ann, (client) => castVote(client, opinion, 'agree')),
      'AC005',
    );
  });

  it('by two moderators at once is one suspension', async () => {
    const colleague = await createAccount(db, 'Moa', { moderator: true });
    const text = 'select * from app_public.suspend_account($1, $2)';
    const first = await db.connect();
    const second = await db.connect();
    for (const [client, id] of [
      [first, community.moderator],
      [second, colleague],
    ] as const) {
      await client.query(`begin; set local role app_moderator; set local lock_timeout = '5s'`);
      await client.query("select set_config('app.account_id', $1, true)", [id]);
    }
    const pid = await backendPid(second);
    await first.query(text, [ann, 'First']);
    const waiting = second.query(text, [ann, 'Second']);
    await waitUntilBlocked(db.pool, pid);
    await first.query('commit');
    expect((await waiting).rows).toMatchObject([{ id: ann }]);
    await second.query('commit');
    expect(await history(db.pool)).toMatchObject([{ reason: 'First', withdrawn: false }]);
  });
});

describe('rights on the tables', () => {
  it('are these and no others', async () => {
    const { rows } = await db.pool.query(
      `select r.role || ' ' || p.privilege || ' ' || c.relname as cell,
        string_agg(a.attname, ', ' order by a.attnum) as columns
      from pg_class c
      join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      cross join unnest('{app_anonymous,app_account,app_moderator}'::text[]) as r (role)
      cross join unnest('{INSERT,UPDATE}'::text[]) as p (privilege)
      where c.oid in ('app_public.block'::regclass, 'app_public.account_suspension'::regclass)
        and has_column_privilege(r.role, c.oid, a.attnum, p.privilege)
      group by 1 order by 1`,
    );
    expect(rows).toEqual([
      { cell: 'app_account INSERT block', columns: 'blocker_id, blocked_id' },
      { cell: 'app_moderator INSERT block', columns: 'blocker_id, blocked_id' },
    ]);
  });
});
