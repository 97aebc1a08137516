import type pg from 'pg';
import { expect } from 'vitest';
import { createAccount, one } from '../deliberation/community.ts';
import type { TestDatabase } from '../lib/database.ts';

/* A small world of projects, chains and investors, and the people in it. */

type Row = Record<string, unknown>;
export const commit = { commit: true };

export interface World {
  founder: string;
  other: string;
  /** Has the role validator. */
  validator: string;
  moderator: string;
  /** The account of the investor. */
  angel: string;
  /** Keeps the chain. */
  keeper: string;
  project: string;
  chain: string;
  post: string;
  investor: string;
}

/** Calls a function of the API in the name of an account, and keeps what it did. */
export function caller(db: TestDatabase) {
  return async (account: string, name: string, args: Record<string, unknown>): Promise<Row> => {
    const { text, values } = callOf(name, args);
    return await db.asAccount(account, (client) => one(client, text, values), commit);
  };
}

/** `select * from app_public.<name>(a => $1, …)`. */
export function callOf(name: string, args: Record<string, unknown>) {
  const keys = Object.keys(args);
  const list = keys.map((key, index) => `${key} => $${index + 1}`).join(', ');
  return { text: `select * from app_public.${name}(${list})`, values: Object.values(args) };
}

export async function createWorld(db: TestDatabase): Promise<World> {
  const call = caller(db);
  const founder = await createAccount(db, 'Flora');
  const other = await createAccount(db, 'Otis');
  const validator = await createAccount(db, 'Vito');
  await db.pool.query(
    "insert into app_private.account_role (account_id, role) values ($1, 'validator')",
    [validator],
  );
  const moderator = await createAccount(db, 'Mona', { moderator: true });
  const angel = await createAccount(db, 'Angela');
  const keeper = await createAccount(db, 'Kim');
  const project = await call(founder, 'create_project', { title: 'Solar kettle' });
  const slug = `chain-${keeper}`;
  const chain = await call(keeper, 'create_chain', { slug, name: 'Kitchen' });
  const post = await call(other, 'create_chain_post', {
    chain_id: chain.id,
    title: 'Which kettle?',
    content: 'I look for one.',
  });
  const investor = await call(angel, 'save_investor', { name: 'Angela invests' });
  return {
    founder,
    other,
    validator,
    moderator,
    angel,
    keeper,
    project: project.id as string,
    chain: chain.id as string,
    post: post.id as string,
    investor: investor.id as string,
  };
}

/** Counters by table; what each is, recounted from nothing but the rows. `t` is the table's row. */
const RECOUNTS: Record<string, Record<string, string>> = {
  project: {
    upvote_count: `select count(*) from app_public.project_upvote u
      where u.project_id = t.id and u.withdrawn_at is null`,
    comment_count: `select count(*) from app_public.project_comment c
      where c.project_id = t.id and c.deleted_at is null`,
    badge_count: `select count(*) from app_public.badge b
      where b.project_id = t.id and b.revoked_at is null`,
    proof_score: `select coalesce(sum(b.points), 0) from app_public.badge b
      where b.project_id = t.id and b.revoked_at is null`,
  },
  project_comment: {
    reply_count: `select count(*) from app_public.project_comment c
      where c.parent_id = t.id and c.deleted_at is null`,
  },
  chain: {
    project_count: `select count(*) from app_public.chain_project cp
      join app_public.project p on p.id = cp.project_id
      where cp.chain_id = t.id and cp.removed_at is null and p.deleted_at is null`,
    follower_count: `select count(*) from app_public.chain_follow f
      where f.chain_id = t.id and f.unfollowed_at is null`,
    post_count: `select count(*) from app_public.chain_post p
      where p.chain_id = t.id and p.parent_id is null and p.deleted_at is null`,
    reply_count: `select count(*) from app_public.chain_post p
      where p.chain_id = t.id and p.parent_id is not null and p.deleted_at is null`,
  },
  chain_post: {
    reply_count: `select count(*) from app_public.chain_post p
      where p.parent_id = t.id and p.deleted_at is null`,
  },
  investor: {
    intro_count: `select count(*) from app_public.intro_request r
      where r.investor_id = t.id and r.state = 'accepted'`,
  },
  account: {
    project_count: `select count(*) from app_public.project p
      where p.owner_id = t.id and p.deleted_at is null`,
    chain_count: `select count(*) from app_public.chain c
      where c.owner_id = t.id and c.deleted_at is null`,
    comment_count: `select count(*) from app_public.project_comment c
      where c.author_id = t.id and c.deleted_at is null`,
    upvote_count: `select count(*) from app_public.project p
      join app_public.project_upvote u on u.project_id = p.id
      where p.owner_id = t.id and p.deleted_at is null and u.withdrawn_at is null`,
    badge_count: `select count(*) from app_public.project p
      join app_public.badge b on b.project_id = p.id
      where p.owner_id = t.id and p.deleted_at is null and b.revoked_at is null`,
    proof_score: `select coalesce(sum(b.points), 0) from app_public.project p
      join app_public.badge b on b.project_id = p.id
      where p.owner_id = t.id and p.deleted_at is null and b.revoked_at is null`,
    follower_count: `select count(distinct f.account_id) from app_public.chain c
      join app_public.chain_follow f on f.chain_id = c.id
      where c.owner_id = t.id and c.deleted_at is null and f.unfollowed_at is null`,
  },
};

export const COUNTED_TABLES = Object.keys(RECOUNTS);
export const countersOf = (table: string) => Object.keys(RECOUNTS[table] ?? {});

/** Asserts that every counter equals a recount: by exact read in one statement, or as stored. */
export async function expectExactCounts(
  client: pg.ClientBase | pg.Pool,
  options: { stored?: boolean } = {},
): Promise<void> {
  for (const [table, counters] of Object.entries(RECOUNTS)) {
    const found = Object.keys(counters).map((name) =>
      options.stored ? `t.${name}` : `app_public.${table}_${name}(t)`,
    );
    const { rows } = await client.query(
      `select t.id, array[${found.join(', ')}] as found,
        array[${Object.values(counters)
          .map((recount) => `(${recount})`)
          .join(', ')}]::bigint[] as expected
      from app_public.${table} t order by t.id`,
    );
    expect(
      rows.map(({ id, found }) => ({ id, found })),
      table,
    ).toEqual(rows.map(({ id, expected }) => ({ id, found: expected })));
  }
}

/** Drains, and recomputes every derived relation, due or not. */
export async function settle(db: TestDatabase): Promise<void> {
  await db.pool.query('select millrace.drain()');
  // What reads another derived relation comes after it.
  await db.pool.query(`
    select millrace.run_now(d.name) from millrace.derivation d
    where d.kind = 'materialize' order by d.id`);
}
