import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Community,
  castVote,
  createAccount,
  createCommunity,
  createConversation,
  createOpinion,
  expectNoWrite,
  expectRefused,
  moderate,
  one,
} from '../deliberation/community.ts';
import { createTestDatabase, expectSqlState, type TestDatabase } from '../lib/database.ts';

let db: TestDatabase;
let community: Community;

beforeAll(async () => {
  db = await createTestDatabase();
  community = await createCommunity(db);
});

afterAll(async () => {
  await db?.drop();
});

describe('current_account', () => {
  const text = 'select id, display_name from app_public.current_account()';

  it('is the account of the token', async () => {
    const { rows } = await db.asAccount(community.voter, (client) => client.query(text));
    expect(rows).toEqual([{ id: community.voter, display_name: 'Vera' }]);
  });

  it('is nobody for a visitor, a deleted account, an account that never was', async () => {
    const nobody = [{ id: null, display_name: null }];
    expect((await db.asAnonymous((client) => client.query(text))).rows).toEqual(nobody);
    for (const id of [community.deleted, '999999999']) {
      expect((await db.asAccount(id, (client) => client.query(text))).rows).toEqual(nobody);
    }
  });
});

describe('is_moderator', () => {
  const ask = 'select app_hidden.is_moderator() as answer';

  it('needs the role of the token and the role of the account, at this moment', async () => {
    const answers = await Promise.all([
      db.asModerator(community.moderator, (client) => one(client, ask)),
      db.asAccount(community.moderator, (client) => one(client, ask)),
      db.asModerator(community.formerModerator, (client) => one(client, ask)),
      db.asModerator(community.voter, (client) => one(client, ask)),
      db.asAnonymous((client) => one(client, ask)),
    ]);
    expect(answers.map(({ answer }) => answer)).toEqual([true, false, false, false, false]);
  });

  it('ends with the account', async () => {
    const id = await createAccount(db, 'Momo', { moderator: true });
    await db.asModerator(
      id,
      async (client) => {
        expect(await one(client, ask)).toEqual({ answer: true });
        await client.query('select app_public.delete_account()');
      },
      { commit: true },
    );
    expect(await db.asModerator(id, (client) => one(client, ask))).toEqual({ answer: false });
  });
});

describe('create_guest_account', () => {
  const text = 'select * from app_public.create_guest_account($1)';

  it('makes a guest for a visitor', async () => {
    const guest = await db.asAnonymous((client) => one(client, text, ['  Guest \n']));
    expect(guest).toMatchObject({ display_name: 'Guest', is_guest: true, deleted_at: null });
    const nameless = await db.asAnonymous((client) => one(client, text, [null]));
    expect(nameless).toMatchObject({ display_name: null, is_guest: true });
  });

  it('gives a caller who has an account that one', async () => {
    const found = await expectNoWrite(db, () =>
      db.asAccount(community.voter, (client) => one(client, text, ['Another'])),
    );
    expect(found).toMatchObject({ id: community.voter, display_name: 'Vera' });
  });

  it('refuses a name that is none, and a deleted account', async () => {
    for (const name of ['', ' \t\n', 'x'.repeat(81)]) {
      await expectRefused(
        db,
        () => db.asAnonymous((client) => client.query(text, [name])),
        'AC004',
      );
    }
    await expectRefused(
      db,
      () => db.asAccount(community.deleted, (client) => client.query(text, ['Dora'])),
      'AC002',
    );
  });

  it('makes nothing but guests: the policy, not only the function', async () => {
    await expectRefused(
      db,
      () =>
        db.asAnonymous((client) =>
          client.query(
            "insert into app_public.account (display_name, is_guest) values ('x', false)",
          ),
        ),
      '42501',
    );
  });
});

describe('set_display_name', () => {
  const text = 'select * from app_public.set_display_name($1)';

  it('changes the name of the caller alone', async () => {
    await db.asAccount(community.voter, async (client) => {
      expect(await one(client, text, [' Véra '])).toMatchObject({ display_name: 'Véra' });
      const { rows } = await client.query(
        'select id from app_public.account where display_name = $1',
        ['Véra'],
      );
      expect(rows).toEqual([{ id: community.voter }]);
    });
  });

  it('writes nothing when the name stays', async () => {
    await expectNoWrite(db, () =>
      db.asAccount(community.voter, (client) => client.query(text, ['Vera']), { commit: true }),
    );
  });

  it('takes 80 characters of any script and refuses 81', async () => {
    await db.asAccount(community.voter, async (client) => {
      expect(await one(client, text, ['我'.repeat(80)])).toMatchObject({
        display_name: '我'.repeat(80),
      });
    });
    for (const name of ['', '   ', '我'.repeat(81)]) {
      const work = () => db.asAccount(community.voter, (client) => client.query(text, [name]));
      const error = await expectRefused(db, work, 'AC004');
      expect(error.message).toMatch(/^The name is (empty|too long)$/);
    }
  });

  it('is refused to visitors and deleted accounts', async () => {
    const rename = { text, values: ['Anybody'] };
    await expectRefused(db, () => db.asAnonymous((client) => client.query(rename)), 'AC001');
    await expectRefused(
      db,
      () => db.asAccount(community.deleted, (client) => client.query(rename)),
      'AC002',
    );
  });
});

describe('delete_account', () => {
  it('deletes its opinions and cancels its votes in the same call', async () => {
    const leaver = await createAccount(db, 'Lea');
    const { moderator, opinion } = community;
    const conversation = await db.asAccount(
      leaver,
      (client) => createConversation(client, 'Mine'),
      {
        commit: true,
      },
    );
    const [visible, hidden] = await db.asAccount(
      leaver,
      async (client) => {
        await castVote(client, opinion, 'pass');
        return [
          await createOpinion(client, community.conversation, 'Stays in no list'),
          await createOpinion(client, community.conversation, 'Will be hidden'),
        ] as const;
      },
      { commit: true },
    );
    await db.asModerator(
      moderator,
      async (client) => {
        await moderate(client, hidden, 'hide');
        await castVote(client, visible, 'agree');
        await client.query('select app_public.lock_conversation($1)', [community.conversation]);
      },
      { commit: true },
    );

    const account = await db.asAccount(
      leaver,
      (client) => one(client, 'select * from app_public.delete_account()'),
      { commit: true },
    );

    expect(account).toMatchObject({ id: leaver, display_name: null });
    expect(account.deleted_at).toBeInstanceOf(Date);
    const { rows: opinions } = await db.pool.query(
      'select id from app_public.opinion where author_id = $1 and deleted_at is not null order by id',
      [leaver],
    );
    expect(opinions).toEqual([{ id: visible }, { id: hidden }]);
    const { rows: votes } = await db.pool.query(
      `select voter_id = $1 as own, cancelled_at is not null as cancelled, count(*)::int
      from app_public.opinion_vote where opinion_id = any ($2) group by 1, 2 order by 1`,
      [leaver, [opinion, visible, hidden]],
    );
    // Its own three are cancelled; the author's and the moderator's, on its opinion, stand.
    expect(votes).toEqual([
      { own: false, cancelled: false, count: 2 },
      { own: true, cancelled: true, count: 3 },
    ]);
    // What it began belongs to those who took part.
    expect(
      await one(db.pool, 'select deleted_at from app_public.conversation where id = $1', [
        conversation,
      ]),
    ).toEqual({ deleted_at: null });
    await db.asModerator(
      moderator,
      (client) =>
        client.query('select app_public.unlock_conversation($1)', [community.conversation]),
      { commit: true },
    );
  });

  it('changes nothing the second time', async () => {
    const again = await expectNoWrite(db, () =>
      db.asAccount(
        community.deleted,
        (client) => one(client, 'select * from app_public.delete_account()'),
        { commit: true },
      ),
    );
    expect(again).toMatchObject({ id: community.deleted });
  });

  it('is refused to a visitor, an account that never was, a former moderator', async () => {
    const text = 'select app_public.delete_account()';
    await expectRefused(db, () => db.asAnonymous((client) => client.query(text)), 'AC001');
    await expectRefused(
      db,
      () => db.asAccount('999999999', (client) => client.query(text)),
      'AC002',
    );
    await expectRefused(
      db,
      () => db.asModerator(community.formerModerator, (client) => client.query(text)),
      'AC003',
    );
  });
});

describe('every function that writes', () => {
  /** These have tests of their own: how an account begins, and its end. */
  const others = ['create_guest_account', 'delete_account', 'request_nonce'];
  /** What a suspended account may do: protect itself, take back its own, read. */
  const whileSuspended = [
    'block_account',
    'cancel_vote',
    'create_report',
    'decline_intro',
    'delete_agent',
    'delete_chain',
    'delete_chain_post',
    'delete_investor',
    'delete_message',
    'delete_opinion',
    'delete_post',
    'delete_project',
    'delete_project_comment',
    'delete_update',
    'leave_conversation',
    'mark_read',
    'mark_update_read',
    'mark_updates_read',
    'remove_project_from_chain',
    'rename_session',
    'sign_out',
    'sign_out_everywhere',
    'unblock_account',
    'unfollow_agent',
    'unfollow_chain',
    'unlike_post',
    'withdraw_intro',
  ];
  /** A call of each without any argument: who calls is asked before what for. */
  let calls: { name: string; text: string }[];

  beforeAll(async () => {
    const { rows } = await db.pool.query<{ name: string; text: string }>(`
      select p.proname as name, format('select %s(%s)', p.oid::regproc, (
        select string_agg('null::' || format_type(t.oid, null), ', ' order by t.ordinality)
        from unnest(p.proargtypes) with ordinality t (oid)
      )) as text
      from pg_proc p
      where p.pronamespace = 'app_public'::regnamespace and p.provolatile = 'v'
      order by 1`);
    calls = rows.filter(({ name }) => !others.includes(name));
    expect(calls.length).toBeGreaterThan(20);
  });

  it('refuses visitors, deleted accounts, former moderators', async () => {
    const { deleted, formerModerator } = community;
    const callers: [string, (text: string) => Promise<unknown>][] = [
      ['AC001', (text) => db.asAnonymous((client) => client.query(text))],
      ['AC002', (text) => db.asAccount(deleted, (client) => client.query(text))],
      ['AC002', (text) => db.asModerator(deleted, (client) => client.query(text))],
      ['AC003', (text) => db.asModerator(formerModerator, (client) => client.query(text))],
    ];
    await expectNoWrite(db, async () => {
      for (const { text } of calls) {
        for (const [code, call] of callers) {
          const error = await expectSqlState(call(text), code);
          expect(error.hint, text).toMatch(/\S/);
        }
      }
    });
  });

  it('refuses suspended accounts, except to take back what is theirs', async () => {
    const suspended = await createAccount(db, 'Susi');
    await db.asModerator(
      community.moderator,
      (client) => client.query('select app_public.suspend_account($1)', [suspended]),
      { commit: true },
    );
    const allowed: string[] = [];
    for (const { name, text } of calls) {
      const outcome = await db
        .asAccount(suspended, (client) => client.query(text))
        .then(
          () => 'done',
          (error: { code?: string }) => error.code,
        );
      if (outcome !== 'AC005') allowed.push(name);
    }
    expect(allowed).toEqual(whileSuspended);
  });
});
