import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';
import { explain, nodesOf, type PlanNode } from '../lib/plan.ts';
import {
  type Community,
  castVote,
  createCommunity,
  createOpinion,
  moderate,
  one,
} from './community.ts';

/*
 * The lists of a conversation, in the statements that PostGraphile sends for a connection with
 * cursors: the condition is a comparison of rows on unique, unchanging columns.
 */

interface List {
  name: string;
  /** The columns of the cursor. */
  key: [string, string];
  types: [string, string];
  direction: 'asc' | 'desc';
  index: string;
}

const LISTS: Record<'new' | 'discover' | 'moderated' | 'votes', List> = {
  new: {
    name: 'conversation_new_opinions',
    key: ['created_at', 'id'],
    types: ['timestamptz', 'bigint'],
    direction: 'desc',
    index: 'opinion_conversation_id_listed_idx',
  },
  discover: {
    name: 'conversation_discover_opinions',
    key: ['created_at', 'id'],
    types: ['timestamptz', 'bigint'],
    direction: 'asc',
    index: 'opinion_conversation_id_listed_idx',
  },
  moderated: {
    name: 'conversation_moderated_opinions',
    key: ['created_at', 'id'],
    types: ['timestamptz', 'bigint'],
    direction: 'desc',
    index: 'opinion_conversation_id_moderated_idx',
  },
  votes: {
    name: 'conversation_my_votes',
    key: ['opinion_id', 'voter_id'],
    types: ['bigint', 'bigint'],
    direction: 'desc',
    index: 'opinion_vote_voter_id_idx',
  },
};

/** The statement for one page; $1 is the conversation, $2 and $3 the cursor of a later page. */
function pageOf(list: List, later: boolean, size: number): string {
  const [first, second] = list.key;
  const order = `t.${first} ${list.direction}, t.${second} ${list.direction}`;
  const after = later
    ? `where (t.${first}, t.${second}) ${list.direction === 'asc' ? '>' : '<'}
      ($2::${list.types[0]}, $3::${list.types[1]})`
    : '';
  return `select array(
      select array[t.${first}::text, t.${second}::text]
      from app_public.${list.name}(c) as t ${after} order by ${order} limit ${size}
    ) as page
    from app_public.conversation as c where c.id = $1`;
}

type Cursor = [string, string];

async function readPage(
  client: pg.ClientBase,
  list: List,
  conversation: string,
  cursor: Cursor | undefined,
  size: number,
): Promise<Cursor[]> {
  const text = pageOf(list, cursor !== undefined, size);
  const { page } = await one<{ page: Cursor[] }>(client, text, [conversation, ...(cursor ?? [])]);
  return page;
}

/** All pages to the end; `between` runs after each. */
async function readAll(
  client: pg.ClientBase,
  list: List,
  conversation: string,
  size: number,
  between: () => Promise<unknown> = async () => undefined,
): Promise<string[]> {
  const ids: string[] = [];
  let cursor: Cursor | undefined;
  for (;;) {
    const page = await readPage(client, list, conversation, cursor, size);
    ids.push(...page.map((entry) => entry[list.key.indexOf('id')] ?? entry[0]));
    cursor = page.at(-1);
    if (page.length < size || cursor === undefined) return ids;
    await between();
  }
}

let db: TestDatabase;
const commit = { commit: true };

beforeAll(async () => {
  db = await createTestDatabase();
});

afterAll(async () => {
  await db?.drop();
});

describe('what the lists hold', () => {
  let community: Community;
  const ids: Record<string, string> = {};

  beforeAll(async () => {
    community = await createCommunity(db);
    const { author, voter, moderator, conversation } = community;
    for (const name of ['plain', 'voted', 'cancelled', 'moved', 'hidden', 'deleted']) {
      ids[name] = await db.asAccount(
        author,
        (client) => createOpinion(client, conversation, name),
        commit,
      );
    }
    await db.asAccount(
      voter,
      async (client) => {
        for (const name of ['voted', 'cancelled', 'moved', 'hidden']) {
          await castVote(client, ids[name] as string, 'disagree');
        }
        await client.query('select app_public.cancel_vote($1)', [ids.cancelled]);
      },
      commit,
    );
    await db.asModerator(
      moderator,
      async (client) => {
        await moderate(client, ids.moved as string, 'move');
        await moderate(client, ids.hidden as string, 'hide');
      },
      commit,
    );
    await db.asAccount(
      author,
      (client) => client.query('select app_public.delete_opinion($1)', [ids.deleted]),
      commit,
    );
  });

  const named = (found: string[]) =>
    found.map((id) => Object.keys(ids).find((name) => ids[name] === id) ?? 'first');
  const read = (list: List) => (client: pg.ClientBase) =>
    readAll(client, list, community.conversation, 2);

  it('new: everything that is neither moderated nor deleted, for everybody', async () => {
    const expected = ['cancelled', 'voted', 'plain', 'first'];
    const { voter, author, moderator } = community;
    expect(named(await db.asAnonymous(read(LISTS.new)))).toEqual(expected);
    expect(named(await db.asAccount(voter, read(LISTS.new)))).toEqual(expected);
    expect(named(await db.asAccount(author, read(LISTS.new)))).toEqual(expected);
    expect(named(await db.asModerator(moderator, read(LISTS.new)))).toEqual(expected);
  });

  it('discover: what the viewer has not voted on, or no more', async () => {
    const { voter, author } = community;
    expect(named(await db.asAccount(voter, read(LISTS.discover)))).toEqual([
      'first',
      'plain',
      'cancelled',
    ]);
    // Authors agree with what they write.
    expect(named(await db.asAccount(author, read(LISTS.discover)))).toEqual([]);
    expect(named(await db.asAnonymous(read(LISTS.discover)))).toEqual([
      'first',
      'plain',
      'voted',
      'cancelled',
    ]);
  });

  it('moderated: the moved ones; the hidden ones for moderators only', async () => {
    const { voter, author, moderator, formerModerator } = community;
    expect(named(await db.asAnonymous(read(LISTS.moderated)))).toEqual(['moved']);
    expect(named(await db.asAccount(voter, read(LISTS.moderated)))).toEqual(['moved']);
    expect(named(await db.asAccount(author, read(LISTS.moderated)))).toEqual(['moved']);
    expect(named(await db.asAccount(moderator, read(LISTS.moderated)))).toEqual(['moved']);
    expect(named(await db.asModerator(formerModerator, read(LISTS.moderated)))).toEqual(['moved']);
    expect(named(await db.asModerator(moderator, read(LISTS.moderated)))).toEqual([
      'hidden',
      'moved',
    ]);
  });

  it('my votes: the viewer’s that stand', async () => {
    const { voter, moderator } = community;
    expect(named(await db.asAccount(voter, read(LISTS.votes)))).toEqual([
      'hidden',
      'moved',
      'voted',
    ]);
    expect(await db.asModerator(moderator, read(LISTS.votes))).toEqual([]);
    expect(await db.asAnonymous(read(LISTS.votes))).toEqual([]);
  });
});

describe('pages', () => {
  /** A conversation of 100 opinions, of which four at a time were written at the same moment. */
  async function fill(community: Community): Promise<void> {
    await db.pool.query(
      `insert into app_public.opinion (conversation_id, author_id, content, created_at)
      select $1, $2, 'o' || i, '2026-01-01'::timestamptz + (i / 4) * interval '1 microsecond'
      from generate_series(1, 100) as i`,
      [community.conversation, community.author],
    );
  }

  const initial = `select id from app_public.opinion where conversation_id = $1
    order by created_at, id`;

  it('of what is new neither overlap nor leave a gap while opinions are written', async () => {
    const community = await createCommunity(db);
    await fill(community);
    const before = (await db.pool.query(initial, [community.conversation])).rows.map(
      ({ id }) => id,
    );
    const found = await db.asAccount(community.voter, (client) =>
      readAll(client, LISTS.new, community.conversation, 7, () =>
        db.asAccount(
          community.author,
          (other) => createOpinion(other, community.conversation, 'In between'),
          commit,
        ),
      ),
    );
    expect(found).toEqual(before.reverse());
  });

  it('of discover bring what is written in between at the end, and no opinion twice', async () => {
    const community = await createCommunity(db);
    await fill(community);
    const before = (await db.pool.query(initial, [community.conversation])).rows.map(
      ({ id }) => id,
    );
    const added: string[] = [];
    const found = await db.asAccount(community.voter, (client) =>
      readAll(client, LISTS.discover, community.conversation, 7, async () => {
        // The viewer votes on something already seen, somebody else writes: not for ever.
        await db.asAccount(
          community.voter,
          (other) => castVote(other, before[added.length] as string, 'pass'),
          commit,
        );
        if (added.length === 10) return;
        added.push(
          await db.asAccount(
            community.author,
            (other) => createOpinion(other, community.conversation, 'In between'),
            commit,
          ),
        );
      }),
    );
    expect(added).toHaveLength(10);
    expect(found).toEqual([...before, ...added]);
  });

  it('of my votes neither repeat nor skip a vote that is changed in between', async () => {
    const community = await createCommunity(db);
    await fill(community);
    const { voter, conversation } = community;
    await db.asAccount(
      voter,
      (client) =>
        client.query(
          `select app_public.cast_vote(id, 'agree') from app_public.opinion
          where conversation_id = $1`,
          [conversation],
        ),
      commit,
    );
    const { rows } = await db.pool.query<{ id: string }>(
      'select id from app_public.opinion where conversation_id = $1 order by id',
      [conversation],
    );
    const before = rows.map(({ id }) => id);
    let turn = 0;
    const found = await db.asAccount(voter, (client) =>
      readAll(client, LISTS.votes, conversation, 9, () => {
        // One from each end: seen already, and still to come.
        const changed = [before[turn], before.at(-1 - turn)] as [string, string];
        turn += 1;
        return db.asAccount(
          voter,
          async (other) => {
            for (const id of changed) await castVote(other, id, 'disagree');
          },
          commit,
        );
      }),
    );
    expect(turn).toBeGreaterThan(5);
    expect(found).toEqual(before.reverse());
  });
});

describe('plans', () => {
  let conversation: string;
  let quiet: string;
  let voter: string;

  /*
   * 20,000 opinions in 200 conversations, half of them in one, whose opinions are all older than
   * those of the rest: in the order of the primary key a page of it lies behind 10,000 others.
   */
  beforeAll(async () => {
    const community = await createCommunity(db);
    voter = community.voter;
    conversation = community.conversation;
    await db.pool.query(
      `insert into app_public.conversation (owner_id, topic)
      select $1, 'quiet ' || i from generate_series(1, 200) as i`,
      [community.owner],
    );
    quiet = (
      await one<{ id: string }>(db.pool, 'select max(id) as id from app_public.conversation')
    ).id;
    await db.pool.query(
      `insert into app_public.opinion
        (conversation_id, author_id, content, moderation, deleted_at, created_at)
      select case when i <= 10000 then $1::bigint else $2::bigint - i % 200 end, $3, 'o' || i,
        case when i % 10 = 0 then 'moved' when i % 20 = 1 then 'hidden' end
          ::app_public.moderation_action,
        case when i % 17 = 0 then now() end,
        '2026-01-01'::timestamptz + i * interval '1 second'
      from generate_series(1, 20000) as i`,
      [conversation, quiet, community.author],
    );
    await db.pool.query(
      "insert into app_public.account (display_name) select 'p' || i from generate_series(1, 300) i",
    );
    await db.pool.query(
      `insert into app_public.opinion_vote (opinion_id, voter_id, conversation_id, choice)
      select o.id, a.id, o.conversation_id, 'pass'
      from app_public.opinion o join app_public.account a on (o.id + a.id) % 40 = 0
      where a.id <> $1 on conflict do nothing`,
      [voter],
    );
    await db.pool.query(
      `insert into app_public.opinion_vote (opinion_id, voter_id, conversation_id, choice)
      select id, $1, conversation_id, 'agree' from app_public.opinion
      where conversation_id = $2 and id % 5 = 0`,
      [voter, conversation],
    );
    await db.pool.query(
      'vacuum analyze app_public.opinion, app_public.opinion_vote, app_public.conversation, app_public.account',
    );
  });

  async function planOf(
    client: pg.ClientBase,
    text: string,
    values: unknown[],
  ): Promise<PlanNode[]> {
    return nodesOf(await explain(client, text, values, 'analyze off'));
  }

  const cursors: Record<string, Cursor> = {
    timestamptz: ['2026-01-01 01:00:00+00', '5000'],
    bigint: ['5000', '1'],
  };

  describe.each(Object.entries(LISTS))('%s', (_, list) => {
    it.each([
      ['first', 'busy'],
      ['later', 'busy'],
      ['first', 'quiet'],
      ['later', 'quiet'],
    ])('%s page of a %s conversation is a range of one index', async (page, which) => {
      const later = page === 'later';
      const values = [
        which === 'busy' ? conversation : quiet,
        ...(later ? (cursors[list.types[0]] as Cursor) : []),
      ];
      const nodes = await db.asAccount(voter, (client) =>
        planOf(client, pageOf(list, later, 21), values),
      );
      const types = nodes.map((node) => node['Node Type']);
      const scanned = nodes.filter((node) => node['Node Type'] === 'Seq Scan');
      expect(scanned.map((node) => node['Relation Name'])).not.toContain('opinion');
      expect(scanned.map((node) => node['Relation Name'])).not.toContain('opinion_vote');
      const scans = nodes.filter((node) => node['Index Name'] === list.index);
      expect(scans).toHaveLength(1);
      // The planner may sort the viewer's own votes of one conversation for the first page.
      if (list === LISTS.votes && !later) {
        expect(scans[0]?.['Index Cond']).toContain('voter_id = ');
        expect(scans[0]?.['Index Cond']).toContain('conversation_id = ');
        return;
      }
      expect(types.filter((type) => /Sort|Bitmap|Hash|Merge/.test(type))).toEqual([]);
      expect(scans[0]?.['Scan Direction']).toBe(list.direction === 'asc' ? 'Forward' : 'Backward');
      const condition = scans[0]?.['Index Cond'] ?? '';
      expect(condition).toContain('conversation_id = ');
      expect(condition.includes(`ROW(${list.key.join(', ')})`), condition).toBe(later);
    });
  });

  it('discover looks up each vote by its primary key', async () => {
    const nodes = await db.asAccount(voter, (client) =>
      planOf(client, pageOf(LISTS.discover, false, 21), [conversation]),
    );
    const votes = nodes.filter((node) => node['Relation Name'] === 'opinion_vote');
    expect(votes.map((node) => node['Index Name'])).toEqual(['opinion_vote_pkey']);
    expect(votes[0]?.['Index Cond']).toContain('opinion_id = ');
    expect(votes[0]?.['Index Cond']).toContain('voter_id = ');
  });

  it('the latest vote is the end of an index', async () => {
    const nodes = await db.asAnonymous((client) =>
      planOf(
        client,
        'select cast_at from app_hidden.conversation_last_vote where conversation_id = $1',
        [conversation],
      ),
    );
    const votes = nodes.filter((node) => node['Relation Name'] === 'opinion_vote');
    expect(votes).toMatchObject([
      { 'Index Name': 'opinion_vote_conversation_id_idx', 'Scan Direction': 'Backward' },
    ]);
    expect(nodes.map((node) => node['Node Type'])).not.toContain('Sort');
  });

  it('the order by stored counts is an index', async () => {
    const nodes = await db.asAnonymous((client) =>
      planOf(
        client,
        `select t.id from app_public.opinion t where conversation_id = $1
          and (agree_count, id) < ($2::bigint, $3::bigint)
        order by agree_count desc, id desc limit 21`,
        [conversation, '5', '5000'],
      ),
    );
    expect(nodes).toMatchObject([
      { 'Node Type': 'Limit' },
      ...nodes.slice(1).filter((node) => node['Relation Name'] !== 'opinion'),
      { 'Index Name': 'opinion_conversation_id_idx', 'Scan Direction': 'Backward' },
    ]);
    const conversations = await db.asAnonymous((client) =>
      planOf(
        client,
        `select t.id from app_public.conversation t
        where (vote_count, id) < ($1::bigint, $2::bigint)
        order by vote_count desc, id desc limit 21`,
        ['5', '5000'],
      ),
    );
    expect(conversations.map((node) => node['Index Name']).filter(Boolean)).toEqual([
      'conversation_vote_count_idx',
    ]);
  });
});
