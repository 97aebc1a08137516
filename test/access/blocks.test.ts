import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAccount } from '../deliberation/community.ts';
import { caller, settle } from '../discovery/world.ts';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';

/* What a block hides of what was written before it, in every list that shows it, and from whom. */

let db: TestDatabase;
let call: ReturnType<typeof caller>;
let keeper: string;
let ada: string;
let bob: string;
let stranger: string;
let moderator: string;
let project: unknown;
let chain: unknown;
let mine: { thread: unknown; reply: unknown; post: unknown; answer: unknown };
let theirs: typeof mine;

beforeAll(async () => {
  db = await createTestDatabase();
  call = caller(db);
  keeper = await createAccount(db, 'Kim');
  ada = await createAccount(db, 'Ada');
  bob = await createAccount(db, 'Bob');
  stranger = await createAccount(db, 'Stan');
  moderator = await createAccount(db, 'Mona', { moderator: true });
  project = (await call(keeper, 'create_project', { title: 'P' })).id;
  chain = (await call(keeper, 'create_chain', { slug: 'c-c', name: 'C' })).id;
  const thread = (await comment(keeper, null)).id;
  const post = (
    await call(keeper, 'create_chain_post', { chain_id: chain, title: 'T', content: 'K' })
  ).id;
  const write = async (author: string) => ({
    thread: (await comment(author, null)).id,
    reply: (await comment(author, thread)).id,
    post: (await call(author, 'create_chain_post', { chain_id: chain, title: 'T', content: 'X' }))
      .id,
    answer: (await call(author, 'reply_to_chain_post', { post_id: post, content: 'X' })).id,
  });
  mine = await write(ada);
  theirs = await write(bob);
  await settle(db);
});

afterAll(async () => {
  await db?.drop();
});

async function comment(author: string, parent_id: unknown) {
  const args = { project_id: project, content: 'X', parent_id };
  return await call(author, 'create_project_comment', args);
}

/** Who wrote what a viewer sees, in each of the lists. */
async function authors(viewer: string | null, asModerator = false): Promise<string[][]> {
  const text = `
    select
      (select array_agg(distinct t.author_id order by t.author_id) from app_public.project p
        cross join lateral app_public.project_threads(p) t where p.id = ${project}) as threads,
      (select array_agg(distinct t.author_id order by t.author_id) from app_public.project_comment c
        cross join lateral app_public.project_comment_replies(c) t) as replies,
      (select array_agg(distinct t.author_id order by t.author_id) from app_public.chain c
        cross join lateral app_public.chain_newest_posts(c) t) as newest,
      (select array_agg(distinct t.author_id order by t.author_id) from app_public.chain c
        cross join lateral app_public.chain_active_posts(c) t) as active,
      (select array_agg(distinct t.author_id order by t.author_id) from app_public.chain_post c
        cross join lateral app_public.chain_post_replies(c) t) as answers,
      (select array_agg(distinct author_id order by author_id) from app_public.project_comment)
        as comments,
      (select array_agg(distinct author_id order by author_id) from app_public.chain_post) as posts`;
  const read = async (client: { query(text: string): Promise<{ rows: object[] }> }) =>
    (await client.query(text)).rows[0] as Record<string, string[]>;
  const row =
    viewer === null
      ? await db.asAnonymous(read)
      : asModerator
        ? await db.asModerator(viewer, read)
        : await db.asAccount(viewer, read);
  return Object.values(row).map((ids) => ids ?? []);
}

const everybody = () => [
  [keeper, ada, bob],
  [ada, bob],
  [keeper, ada, bob],
  [keeper, ada, bob],
  [ada, bob],
  [keeper, ada, bob],
  [keeper, ada, bob],
];

describe('what is written', () => {
  it('is seen by everybody', async () => {
    for (const viewer of [null, keeper, ada, bob, stranger]) {
      expect(await authors(viewer)).toEqual(everybody());
    }
  });

  it.each(['ada blocks bob', 'bob blocks ada'])('is hidden from both when %s', async (who) => {
    const [blocker, blocked] = who.startsWith('ada') ? [ada, bob] : [bob, ada];
    await call(blocker, 'block_account', { account_id: blocked });
    const without = (author: string) => everybody().map((ids) => ids.filter((id) => id !== author));
    expect(await authors(ada)).toEqual(without(bob));
    expect(await authors(bob)).toEqual(without(ada));
    for (const viewer of [null, keeper, stranger]) {
      expect(await authors(viewer)).toEqual(everybody());
    }
    await call(blocker, 'unblock_account', { account_id: blocked });
    expect(await authors(ada)).toEqual(everybody());
  });

  it('stays seen by who keeps the place and by moderators, who may delete it', async () => {
    await call(keeper, 'block_account', { account_id: ada });
    await call(moderator, 'block_account', { account_id: ada });
    expect(await authors(keeper)).toEqual(everybody());
    expect(await authors(moderator, true)).toEqual(everybody());
    expect((await authors(moderator)).every((ids) => !ids.includes(ada))).toBe(true);
    // Answers to what is hidden are behind it.
    const [replies, answers] = [1, 4];
    expect(await authors(ada)).toEqual(
      everybody().map((ids, list) =>
        list === replies || list === answers ? [] : ids.filter((id) => id !== keeper),
      ),
    );
    expect((await call(keeper, 'delete_chain_post', { post_id: mine.post })).content).toBe('');
    expect(theirs.post).not.toBe(mine.post);
  });

  it('counts for everybody alike', async () => {
    const { rows } = await db.asAccount(ada, (client) =>
      client.query(
        'select app_public.project_comment_count(p)::int as n from app_public.project p where id = $1',
        [project],
      ),
    );
    expect(rows).toEqual([{ n: 5 }]);
  });
});
