import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  type Choice,
  cancelVote,
  castVote,
  createAccount,
  createConversation,
  createOpinion,
} from '../deliberation/community.ts';
import { caller, commit, expectExactCounts, settle } from '../discovery/world.ts';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';
import { sendMessage, startConversation } from '../messaging/chat.ts';

/*
 * A guest who turns out to have an account already: everything that names the guest names the
 * account afterwards, and what is counted is exact before and after any drain.
 */

let db: TestDatabase;
let call: ReturnType<typeof caller>;
let guest: string;
let account: string;
let other: string;

beforeAll(async () => {
  db = await createTestDatabase();
  call = caller(db);
});

afterAll(async () => {
  await db?.drop();
});

beforeEach(async () => {
  guest = await createAccount(db, 'Guest');
  await db.pool.query('update app_public.account set is_guest = true where id = $1', [guest]);
  account = await createAccount(db, null);
  other = await createAccount(db, 'Other');
});

const merge = () => db.pool.query('select app_private.merge_guest($1, $2)', [guest, account]);

async function opinions(count: number): Promise<{ conversation: string; ids: string[] }> {
  return await db.asAccount(
    other,
    async (client) => {
      const conversation = await createConversation(client, 'T');
      const ids: string[] = [];
      for (let n = 0; n < count; n += 1) {
        ids.push(await createOpinion(client, conversation, `O ${n}`, true));
      }
      return { conversation, ids };
    },
    commit,
  );
}

async function vote(voter: string, opinion: string, choice: Choice | null): Promise<void> {
  if (choice === null) {
    await db.asAccount(
      voter,
      async (client) => {
        await castVote(client, opinion, 'pass');
        await cancelVote(client, opinion);
      },
      commit,
    );
  } else {
    await db.asAccount(voter, (client) => castVote(client, opinion, choice), commit);
  }
}

/** Exact and stored counts of a conversation and its opinions, and recounts of all of them. */
async function counts(conversation: string) {
  const { rows } = await db.pool.query(
    `select array[
        app_public.conversation_vote_count(c), app_public.conversation_participant_count(c)
      ]::int[] as exact,
      array[c.vote_count, c.participant_count]::int[] as stored,
      (select array[count(*), count(distinct v.voter_id)]::int[] from app_public.opinion_vote v
        where v.conversation_id = c.id and v.cancelled_at is null) as recount,
      (select array_agg(array[app_public.opinion_agree_count(o), app_public.opinion_disagree_count(o),
          app_public.opinion_pass_count(o)]::int[] order by o.id)
        from app_public.opinion o where o.conversation_id = c.id) as opinions,
      (select array_agg(array[
          (select count(*) from app_public.opinion_vote v where v.opinion_id = o.id
            and v.cancelled_at is null and v.choice = 'agree'),
          (select count(*) from app_public.opinion_vote v where v.opinion_id = o.id
            and v.cancelled_at is null and v.choice = 'disagree'),
          (select count(*) from app_public.opinion_vote v where v.opinion_id = o.id
            and v.cancelled_at is null and v.choice = 'pass')]::int[] order by o.id)
        from app_public.opinion o where o.conversation_id = c.id) as recounts
    from app_public.conversation c where c.id = $1`,
    [conversation],
  );
  return rows[0];
}

describe('votes', () => {
  it('are the account’s own where it has one that stands, and the guest’s elsewhere', async () => {
    const { conversation, ids } = await opinions(7);
    const cases: [Choice | null | undefined, Choice | null | undefined, string | null][] = [
      // guest, account, afterwards
      ['agree', undefined, 'agree'],
      [undefined, 'disagree', 'disagree'],
      ['agree', 'disagree', 'disagree'],
      ['agree', null, 'agree'],
      [null, 'disagree', 'disagree'],
      [null, null, null],
      [null, undefined, null],
    ];
    for (const [index, [ofGuest, ofAccount]] of cases.entries()) {
      if (ofGuest !== undefined) await vote(guest, ids[index]!, ofGuest);
      if (ofAccount !== undefined) await vote(account, ids[index]!, ofAccount);
    }
    // Some of it drained before, some not.
    await db.pool.query('select millrace.drain()');
    await vote(other, ids[0]!, 'pass');
    await merge();
    const { rows } = await db.pool.query(
      `select opinion_id, voter_id, case when cancelled_at is null then choice end as choice
      from app_public.opinion_vote where opinion_id = any ($1) and voter_id <> $2
      order by opinion_id`,
      [ids, other],
    );
    expect(rows).toEqual(
      cases.map(([, , choice], index) => ({ opinion_id: ids[index], voter_id: account, choice })),
    );
    for (const drained of [false, true]) {
      if (drained) await db.pool.query('select millrace.drain()');
      const found = await counts(conversation);
      expect(found.exact).toEqual([6, 2]);
      expect(found.exact).toEqual(found.recount);
      expect(found.opinions).toEqual(found.recounts);
      if (drained) expect(found.stored).toEqual(found.recount);
    }
  });

  it('by many guests of one account, at the same time as others vote, stay exact', async () => {
    const { conversation, ids } = await opinions(4);
    const guests = await Promise.all(
      Array.from({ length: 6 }, async () => {
        const id = await createAccount(db, null);
        await db.pool.query('update app_public.account set is_guest = true where id = $1', [id]);
        for (const opinion of ids) await vote(id, opinion, 'agree');
        return id;
      }),
    );
    const voters = await Promise.all(Array.from({ length: 6 }, () => createAccount(db, null)));
    await Promise.all([
      ...guests.map((id) => db.pool.query('select app_private.merge_guest($1, $2)', [id, account])),
      ...voters.map((id) => vote(id, ids[0]!, 'disagree')),
      db.pool.query('select millrace.drain()'),
    ]);
    const found = await counts(conversation);
    expect(found.recount).toEqual([ids.length + voters.length, 1 + voters.length]);
    expect(found.exact).toEqual(found.recount);
    expect(found.opinions).toEqual(found.recounts);
    const { rows } = await db.pool.query(
      'select sum(keys_drifted)::int as drifted from millrace.reconcile()',
    );
    expect(rows).toEqual([{ drifted: 0 }]);
  });
});

describe('direct messages', () => {
  it('stay, with who wrote them, who has not read them, and one conversation of two', async () => {
    const third = await createAccount(db, 'Third');
    const talk = (from: string, to: string[]) =>
      db.asAccount(from, (client) => startConversation(client, to), commit);
    const say = (from: string, conversation: string, content: string) =>
      db.asAccount(from, (client) => sendMessage(client, conversation, content), commit);
    // Both have one with Other; the guest one with Third; the two one with each other; one group.
    const accountOther = await talk(account, [other]);
    const guestOther = await talk(guest, [other]);
    const guestThird = await talk(third, [guest]);
    const both = await talk(guest, [account]);
    const group = await db.asAccount(
      other,
      (client) => startConversation(client, [guest, account, third], 'Group'),
      commit,
    );
    await say(account, accountOther, 'a');
    await say(guest, guestOther, 'b');
    await say(other, guestOther, 'c');
    await say(third, guestThird, 'd');
    await say(guest, both, 'e');
    await say(account, group, 'f');
    await say(guest, group, 'g');
    await say(third, group, 'h');
    await merge();
    const { rows } = await db.asAccount(account, (client) =>
      client.query(`select c.id, c.is_group as group, e.unread_count::int as unread,
        (select array_agg(m.content || case m.sender_id when ${account} then ' me' else '' end
          order by m.id) from app_public.direct_message m where m.conversation_id = c.id) as said
      from app_public.direct_conversation c
      join app_public.my_direct_conversations() e on e.conversation_id = c.id order by c.id`),
    );
    expect(rows).toEqual([
      { id: accountOther, group: false, unread: 0, said: ['a me'] },
      { id: guestOther, group: true, unread: 1, said: ['b me', 'c'] },
      { id: guestThird, group: false, unread: 1, said: ['d'] },
      { id: both, group: true, unread: 0, said: ['e me'] },
      { id: group, group: true, unread: 1, said: ['f me', 'g me', 'h'] },
    ]);
    const again = await db.asAccount(third, (client) => startConversation(client, [account]));
    expect(again).toBe(guestThird);
  });
});

it('everything else that names the guest names the account', async () => {
  const moderator = await createAccount(db, 'Mona', { moderator: true });
  await db.pool.query(
    "insert into app_private.account_role (account_id, role) values ($1, 'validator')",
    [guest],
  );
  const theirs = await call(other, 'create_project', { title: 'Theirs' });
  const ofAccount = await call(account, 'create_project', { title: 'Of the account' });
  const mine = await call(guest, 'create_project', { title: 'Mine' });
  const both = await call(other, 'create_project', { title: 'Both' });
  await call(guest, 'toggle_upvote', { project_id: theirs.id });
  for (const voter of [guest, account]) await call(voter, 'toggle_upvote', { project_id: both.id });
  // Each other's: one's own afterwards, which nobody upvotes.
  await call(guest, 'toggle_upvote', { project_id: ofAccount.id });
  await call(account, 'toggle_upvote', { project_id: mine.id });
  await call(guest, 'create_project_comment', { project_id: theirs.id, content: 'Nice' });
  await call(guest, 'award_badge', { project_id: theirs.id, kind: 'demo' });
  const revoked = await call(guest, 'award_badge', { project_id: theirs.id, kind: 'users' });
  await call(guest, 'revoke_badge', { badge_id: revoked.id });
  const slug = `c-${guest}`;
  const chain = await call(guest, 'create_chain', { slug, name: 'Chain' });
  await call(guest, 'add_project_to_chain', { chain_id: chain.id, project_id: mine.id });
  await call(guest, 'create_chain_post', { chain_id: chain.id, title: 'T', content: 'C' });
  const elsewhere = await call(other, 'create_chain', { slug: `o-${other}`, name: 'Other' });
  await call(guest, 'follow_chain', { chain_id: elsewhere.id });
  const investor = await call(guest, 'save_investor', { name: 'Guest invests' });
  await call(guest, 'save_profile', { bio: 'I am' });
  await call(other, 'request_intro', {
    project_id: theirs.id,
    investor_id: investor.id,
    message: 'Hello',
  });
  const conversation = await call(guest, 'create_conversation', { topic: 'T' });
  await call(guest, 'create_opinion', { conversation_id: conversation.id, content: 'O' });
  await call(guest, 'close_conversation', { conversation_id: conversation.id });
  await call(guest, 'reopen_conversation', { conversation_id: conversation.id });
  const agent = await call(guest, 'create_agent', { handle: `g_${guest}`, display_name: 'Bot' });
  const followed = await call(other, 'create_agent', {
    handle: `o_${other}`,
    display_name: 'Bot',
  });
  await call(guest, 'follow_agent', { agent_id: followed.id });
  await call(account, 'follow_agent', { agent_id: agent.id });
  const told = await call(other, 'publish_update', { agent_id: followed.id, headline: 'H' });
  await call(guest, 'mark_update_read', { update_id: told.id });
  const post = await call(other, 'create_post', { agent_id: followed.id, content: 'P' });
  await call(guest, 'like_post', { post_id: post.id });
  const third = await createAccount(db, 'Third');
  await call(guest, 'block_account', { account_id: third });
  await call(third, 'block_account', { account_id: guest });
  await call(guest, 'create_report', { subject: 'account', subject_id: third, reason: 'R' });
  await call(account, 'create_report', { subject: 'account', subject_id: third, reason: 'R' });
  await call(third, 'create_report', { subject: 'account', subject_id: other, reason: 'R' });
  await db.pool.query(
    `insert into app_public.account_suspension
      (account_id, moderator_id, withdrawn_at, withdrawn_by_id) values ($1, $2, now(), $2)`,
    [guest, moderator],
  );
  await db.asAccount(guest, (client) => startConversation(client, [other]), commit);
  await merge();

  // Every foreign key to accounts there is, from the catalog: a new one has to be thought of.
  const { rows: keys } = await db.pool.query<{ name: string; column: string }>(`
    select conrelid::regclass::text as name, attname as column
    from pg_constraint
    join pg_attribute on attrelid = conrelid and attnum = conkey[1]
    where contype = 'f' and confrelid = 'app_public.account'::regclass
      and conrelid in (select oid from pg_class where not relispartition)`);
  expect(keys.length).toBeGreaterThan(30);
  const left: string[] = [];
  for (const { name, column } of keys) {
    const { rowCount } = await db.pool.query(`select from ${name} where ${column} = $1`, [guest]);
    if (rowCount) left.push(`${name}.${column}`);
  }
  expect(left.sort()).toEqual([
    'app_private.account_merge.guest_id',
    // A role was given to the guest, not to whoever signs in.
    'app_private.account_role.account_id',
  ]);
  const { rows: states } = await db.pool.query(
    `select (select deleted_at is not null from app_public.account where id = $1) as deleted,
      (select display_name from app_public.account where id = $2) as name,
      (select count(*)::int from app_public.project_upvote
        where account_id = $2 and withdrawn_at is null) as upvotes,
      (select count(*)::int from app_public.agent_follow
        where account_id = $2 and unfollowed_at is null) as follows,
      (select count(*)::int from app_public.block where $2 in (blocker_id, blocked_id)) as blocks,
      (select count(*)::int from app_public.report where reporter_id = $2) as reports`,
    [guest, account],
  );
  expect(states).toEqual([
    { deleted: true, name: 'Guest', upvotes: 2, follows: 1, blocks: 2, reports: 1 },
  ]);
  await expectExactCounts(db.pool);
  await settle(db);
  await expectExactCounts(db.pool, { stored: true });
});

it('an investor who is one already keeps their own, and a guest’s profile yields', async () => {
  for (const [who, name] of [
    [guest, 'Of the guest'],
    [account, 'Of the account'],
  ] as [string, string][]) {
    await call(who, 'save_investor', { name });
    await call(who, 'save_profile', { bio: name });
  }
  await merge();
  const { rows } = await db.pool.query(
    `select (select array_agg(name || case when deleted_at is null then '' else ' (deleted)' end
        order by name) from app_public.investor where account_id in ($1, $2)) as investors,
      (select array_agg(bio) from app_public.profile where account_id in ($1, $2)) as profiles`,
    [guest, account],
  );
  expect(rows).toEqual([
    { investors: ['Of the account', 'Of the guest (deleted)'], profiles: ['Of the account'] },
  ]);
});
