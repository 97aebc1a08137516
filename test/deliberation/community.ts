import type pg from 'pg';
import { expect } from 'vitest';
import { expectSqlState, type TestDatabase } from '../lib/database.ts';

/* A small community to test with, and what the tests of accounts and deliberation ask of it. */

export type Choice = 'agree' | 'disagree' | 'pass';
export type Decision = 'move' | 'hide' | 'withdraw';
type Client = pg.ClientBase | pg.Pool;
type Row = Record<string, unknown>;

/** The one row that a query must give. */
export async function one<T extends Row>(
  client: Client,
  text: string,
  values: unknown[] = [],
): Promise<T> {
  const { rows } = await client.query<T>(text, values);
  expect(rows, text).toHaveLength(1);
  return rows[0] as T;
}

export async function createAccount(
  db: TestDatabase,
  name: string | null,
  options: { moderator?: boolean } = {},
): Promise<string> {
  const { id } = await one<{ id: string }>(
    db.pool,
    'insert into app_public.account (display_name) values ($1) returning id',
    [name],
  );
  if (options.moderator) {
    await db.pool.query(
      "insert into app_private.account_role (account_id, role) values ($1, 'moderator')",
      [id],
    );
  }
  return id;
}

export interface Community {
  owner: string;
  author: string;
  voter: string;
  moderator: string;
  /** Has a token for app_moderator, and is a moderator no more. */
  formerModerator: string;
  deleted: string;
  conversation: string;
  /** By the author, who agrees with it. */
  opinion: string;
}

/** A conversation with one opinion, and the people around it. */
export async function createCommunity(db: TestDatabase): Promise<Community> {
  const owner = await createAccount(db, 'Olga');
  const author = await createAccount(db, 'Aron');
  const voter = await createAccount(db, 'Vera');
  const moderator = await createAccount(db, 'Mona', { moderator: true });
  const formerModerator = await createAccount(db, 'Fred');
  const deleted = await createAccount(db, 'Dora');
  await db.asAccount(deleted, (client) => client.query('select app_public.delete_account()'), {
    commit: true,
  });
  const conversation = await db.asAccount(owner, (client) => createConversation(client, 'Trees'), {
    commit: true,
  });
  const opinion = await db.asAccount(
    author,
    (client) => createOpinion(client, conversation, 'More trees'),
    { commit: true },
  );
  return { owner, author, voter, moderator, formerModerator, deleted, conversation, opinion };
}

export async function createConversation(client: Client, topic: string): Promise<string> {
  const text = 'select id from app_public.create_conversation($1)';
  return (await one<{ id: string }>(client, text, [topic])).id;
}

export async function createOpinion(
  client: Client,
  conversation: string,
  content: string,
  isSeed = false,
): Promise<string> {
  const text = 'select id from app_public.create_opinion($1, $2, $3)';
  return (await one<{ id: string }>(client, text, [conversation, content, isSeed])).id;
}

export async function castVote(client: Client, opinion: string, choice: Choice): Promise<Row> {
  return await one(client, 'select * from app_public.cast_vote($1, $2)', [opinion, choice]);
}

export async function cancelVote(client: Client, opinion: string): Promise<Row> {
  return await one(client, 'select * from app_public.cancel_vote($1)', [opinion]);
}

export async function moderate(
  client: Client,
  opinion: string,
  decision: Decision,
  reason = '',
): Promise<Row> {
  return await one(client, 'select * from app_public.moderate_opinion($1, $2, $3)', [
    opinion,
    decision,
    reason,
  ]);
}

/**
 * Every row version of every table, and how many rows the engine's logs hold. Equal before and
 * after: nothing was written, not even a new version of the same values.
 */
export async function stateOf(db: TestDatabase): Promise<Row[]> {
  const { rows: parts } = await db.pool.query<{ part: string }>(`
    select format($$select '%1$s' as name, t.xmin::text, t.ctid::text, to_jsonb(t) as row
      from %1$s t$$, oid::regclass) as part
    from pg_class
    where relkind = 'r' and relnamespace in ('app_public'::regnamespace,
      'app_hidden'::regnamespace, 'app_private'::regnamespace)
    union all
    select format($$select '%1$s', null, null, to_jsonb(count(*)) from %1$s$$, log)
    from millrace.source
    order by 1`);
  const { rows } = await db.pool.query<Row>(
    `${parts.map(({ part }) => part).join(' union all ')} order by 1, 3`,
  );
  return rows;
}

/** Asserts that the work is refused with this SQLSTATE, detail and hint, and has changed nothing. */
export async function expectRefused(
  db: TestDatabase,
  work: () => Promise<unknown>,
  sqlState: string,
): Promise<pg.DatabaseError> {
  const before = await stateOf(db);
  const error = await expectSqlState(work(), sqlState);
  if (/^[A-Z]{2}\d{3}$/.test(sqlState)) {
    expect(error.detail, `detail of ${sqlState}`).toMatch(/\S/);
    expect(error.hint, `hint of ${sqlState}`).toMatch(/\S/);
  }
  expect(await stateOf(db)).toEqual(before);
  return error;
}

/** Asserts that the work succeeds and writes no row. */
export async function expectNoWrite<T>(db: TestDatabase, work: () => Promise<T>): Promise<T> {
  const before = await stateOf(db);
  const result = await work();
  expect(await stateOf(db)).toEqual(before);
  return result;
}

const COUNTERS = {
  conversation: [
    'opinion_count',
    'vote_count',
    'participant_count',
    'total_opinion_count',
    'total_vote_count',
    'total_participant_count',
    'moderated_opinion_count',
    'hidden_opinion_count',
  ],
  opinion: ['agree_count', 'disagree_count', 'pass_count'],
};

/** The counting rules once more, from nothing but the rows. */
const RECOUNT = {
  conversation: `
    select c.id,
      (select count(*) from app_public.opinion o where o.conversation_id = c.id
        and o.deleted_at is null and o.moderation is null) as opinion_count,
      (select count(*) from app_public.opinion o join app_public.opinion_vote v on v.opinion_id = o.id
        where o.conversation_id = c.id and o.deleted_at is null and o.moderation is null
        and v.cancelled_at is null) as vote_count,
      (select count(distinct v.voter_id) from app_public.opinion o
        join app_public.opinion_vote v on v.opinion_id = o.id
        where o.conversation_id = c.id and o.deleted_at is null and o.moderation is null
        and v.cancelled_at is null) as participant_count,
      (select count(*) from app_public.opinion o where o.conversation_id = c.id
        and o.deleted_at is null) as total_opinion_count,
      (select count(*) from app_public.opinion o join app_public.opinion_vote v on v.opinion_id = o.id
        where o.conversation_id = c.id and o.deleted_at is null
        and v.cancelled_at is null) as total_vote_count,
      (select count(distinct v.voter_id) from app_public.opinion o
        join app_public.opinion_vote v on v.opinion_id = o.id
        where o.conversation_id = c.id and o.deleted_at is null
        and v.cancelled_at is null) as total_participant_count,
      (select count(*) from app_public.opinion o where o.conversation_id = c.id
        and o.deleted_at is null and o.moderation = 'moved') as moderated_opinion_count,
      (select count(*) from app_public.opinion o where o.conversation_id = c.id
        and o.deleted_at is null and o.moderation = 'hidden') as hidden_opinion_count
    from app_public.conversation c order by c.id`,
  opinion: `
    select o.id,
      count(v) filter (where v.choice = 'agree') as agree_count,
      count(v) filter (where v.choice = 'disagree') as disagree_count,
      count(v) filter (where v.choice = 'pass') as pass_count
    from app_public.opinion o
    left join app_public.opinion_vote v on v.opinion_id = o.id and v.cancelled_at is null
    group by o.id order by o.id`,
};

/** Asserts that every counter equals a recount of the rows: by exact read, and stored once drained. */
export async function expectExactCounts(
  db: TestDatabase,
  options: { drained?: boolean } = {},
): Promise<void> {
  for (const table of ['conversation', 'opinion'] as const) {
    const columns = COUNTERS[table];
    const read = options.drained
      ? columns.join(', ')
      : columns.map((column) => `app_public.${table}_${column}(t) as ${column}`).join(', ');
    const found = await db.pool.query(
      `select t.id, ${read} from app_public.${table} t order by id`,
    );
    const expected = await db.pool.query(RECOUNT[table]);
    expect(found.rows, `${table}${options.drained ? ' as stored' : ''}`).toEqual(expected.rows);
  }
}

/** Everything that the logs hold is taken up. */
export async function drain(db: TestDatabase): Promise<void> {
  await db.pool.query('select millrace.drain()');
}

/** The counters of a conversation, by exact read. */
export async function countsOf(db: TestDatabase, conversation: string): Promise<number[]> {
  const read = COUNTERS.conversation.map((column) => `app_public.conversation_${column}(t)`);
  const { counts } = await one<{ counts: string[] }>(
    db.pool,
    `select array[${read.join(', ')}] as counts from app_public.conversation t where id = $1`,
    [conversation],
  );
  return counts.map(Number);
}
