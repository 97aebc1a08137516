/*
 * Loads the community of demo-community.ts with COPY, in one transaction, through the tables'
 * ordinary triggers, and drains what they logged.
 *
 * A database has the demo data once: the accounts' external ids (`demo:<batch>:<n>`) tell. Asked to
 * nevertheless, it gets another batch, which is another community.
 */
import pg from 'pg';
import { type CopyValue, copyRows } from './copy.ts';
import { type DemoPlan, planDemo } from './demo-community.ts';

export interface DemoOptions {
  /** How much: 1 is about 2,000 accounts, 60 conversations and 80,000 votes; linear. Default 1. */
  scale?: number;
  /** Loads another batch where there is one already. */
  force?: boolean;
  /** Told what is done and how far it is, in the step's own unit. */
  onProgress?: (step: string, done: number, total: number) => void;
}

export interface DemoResult {
  /** False when the demo data were there already: then the numbers are 0. */
  loaded: boolean;
  /** 1 for the first, or the latest that is there when none was loaded. */
  batch: number;
  accounts: number;
  conversations: number;
  opinions: number;
  votes: number;
  /** Draining included. */
  seconds: number;
}

/** Votes in one COPY: the triggers of a statement keep its rows in memory until it ends. */
const VOTES_EACH = 20_000;

/**
 * Loads the demo data unless they are there, and drains.
 *
 * `connectionString` is the owner's. Throws RangeError for a scale that is no positive number, an
 * error of Postgres otherwise; then nothing was loaded.
 */
export async function loadDemoData(
  connectionString: string,
  { scale = 1, force = false, onProgress = () => undefined }: DemoOptions = {},
): Promise<DemoResult> {
  if (!Number.isFinite(scale) || scale <= 0) {
    throw new RangeError(`the scale must be a positive number, not ${scale}`);
  }
  const started = performance.now();
  const seconds = () => Math.round(performance.now() - started) / 1000;
  const client = new pg.Client({ connectionString, application_name: 'millrace demo-data' });
  // A connection that breaks between two statements is reported by the next one.
  client.on('error', () => undefined);
  await client.connect();
  try {
    await client.query('begin');
    await client.query(`
      set local role app_owner;
      set local statement_timeout = 0;
      set local idle_in_transaction_session_timeout = 0
    `);
    await client.query("select pg_advisory_xact_lock(hashtextextended('millrace demo data', 0))");
    const { rows } = await client.query<{ batch: number }>(`
      select coalesce(max(split_part(external_id, ':', 2)::int), 0) as batch
      from app_private.account_origin
      where starts_with(external_id, 'demo:')
    `);
    const last = (rows[0] as { batch: number }).batch;
    if (last > 0 && !force) {
      await client.query('rollback');
      const none = { accounts: 0, conversations: 0, opinions: 0, votes: 0 };
      return { loaded: false, batch: last, ...none, seconds: seconds() };
    }
    const batch = last + 1;
    const plan = planDemo(scale, batch);
    const votes = await load(client, plan, batch, onProgress);
    await client.query('commit');
    await settle(client, onProgress);
    return {
      loaded: true,
      batch,
      accounts: plan.accounts.length,
      conversations: plan.conversations.length,
      opinions: plan.opinions.length,
      votes,
      seconds: seconds(),
    };
  } finally {
    await client.end().catch(() => undefined);
  }
}

type OnProgress = NonNullable<DemoOptions['onProgress']>;

const time = (at: number | null) => (at === null ? null : new Date(at));

/** Copies everything; returns how many votes there were. */
async function load(
  client: pg.Client,
  plan: DemoPlan,
  batch: number,
  onProgress: OnProgress,
): Promise<number> {
  const step = async (name: string, target: string, rows: CopyValue[][]) => {
    onProgress(name, 0, rows.length);
    await copyRows(client, target, rows, (done) => onProgress(name, done, rows.length));
  };
  // What began later has the greater id.
  const accountIds = await takeIds(client, 'app_public.account', plan.accounts);
  const conversationIds = await takeIds(client, 'app_public.conversation', plan.conversations);
  const opinionIds = await takeIds(client, 'app_public.opinion', plan.opinions);
  const account = (index: number) => accountIds[index] as string;
  const conversation = (index: number) => conversationIds[index] as string;
  const opinion = (index: number) => opinionIds[index] as string;
  const moderator = account(plan.moderator);

  await step(
    'Accounts',
    'app_public.account (id, display_name, is_guest, created_at)',
    plan.accounts.map((it, index) => [account(index), it.name, it.guest, time(it.createdAt)]),
  );
  await step(
    'Accounts',
    'app_private.account_origin (account_id, external_id)',
    plan.accounts.map((_, index) => [account(index), `demo:${batch}:${index + 1}`]),
  );
  await step('Accounts', 'app_private.account_role (account_id, role)', [[moderator, 'moderator']]);

  await step(
    'Conversations',
    'app_public.conversation ' +
      '(id, owner_id, topic, description, created_at, locked_at, closed_at)',
    plan.conversations.map((it, index) => [
      conversation(index),
      account(it.owner),
      it.title,
      it.description,
      time(it.createdAt),
      time(it.lockedAt),
      time(it.closedAt),
    ]),
  );
  await step(
    'Conversations',
    'app_public.conversation_moderation (conversation_id, moderator_id, action, created_at)',
    plan.conversations.flatMap(({ owner, lockedAt, closedAt }, index) => [
      ...(lockedAt === null ? [] : [[conversation(index), moderator, 'locked', time(lockedAt)]]),
      ...(closedAt === null
        ? []
        : [[conversation(index), account(owner), 'closed', time(closedAt)]]),
    ]),
  );

  await step(
    'Opinions',
    'app_public.opinion ' +
      '(id, conversation_id, author_id, content, is_seed, moderation, created_at, deleted_at)',
    plan.opinions.map((it, index) => [
      opinion(index),
      conversation(it.conversation),
      account(it.author),
      it.content,
      it.seed,
      it.moderation?.withdrawnAt === null ? it.moderation.action : null,
      time(it.createdAt),
      time(it.deletedAt),
    ]),
  );
  await step(
    'Opinions',
    'app_public.opinion_moderation (opinion_id, moderator_id, action, reason, created_at, ' +
      'withdrawn_at, withdrawn_by_id)',
    plan.opinions.flatMap(({ moderation: it }, index) =>
      it === null
        ? []
        : [
            [
              opinion(index),
              moderator,
              it.action,
              it.action === 'moved' ? 'Says the same as another.' : 'Attacks a person.',
              time(it.at),
              time(it.withdrawnAt),
              it.withdrawnAt === null ? null : moderator,
            ],
          ],
    ),
  );

  const all = plan.votes();
  let votes = 0;
  onProgress('Votes', 0, plan.expectedVotes);
  for (let more = true; more; ) {
    const rows: CopyValue[][] = [];
    while (rows.length < VOTES_EACH) {
      const { value: it, done } = all.next();
      if (done) {
        more = false;
        break;
      }
      rows.push([
        opinion(it.opinion),
        account(it.voter),
        conversation(it.conversation),
        it.choice,
        time(it.castAt),
        time(it.cancelledAt),
      ]);
    }
    if (rows.length === 0) break;
    votes += await copyRows(
      client,
      'app_public.opinion_vote ' +
        '(opinion_id, voter_id, conversation_id, choice, cast_at, cancelled_at)',
      rows,
    );
    onProgress('Votes', votes, Math.max(plan.expectedVotes, votes));
  }
  return votes;
}

/** New ids of a table for the items, increasing with `createdAt`, in the items' order. */
async function takeIds(
  client: pg.Client,
  table: string,
  items: { createdAt: number }[],
): Promise<string[]> {
  const { rows } = await client.query<{ id: string }>(
    `select nextval(pg_get_serial_sequence($1, 'id')) as id from generate_series(1, $2::int)`,
    [table, items.length],
  );
  const order = items.map((_, index) => index);
  const at = (index: number) => (items[index] as { createdAt: number }).createdAt;
  order.sort((a, b) => at(a) - at(b) || a - b);
  const ids = new Array<string>(items.length);
  for (const [rank, index] of order.entries()) ids[index] = (rows[rank] as { id: string }).id;
  return ids;
}

/** Drains what the load has logged (or leaves it to a drain that is running), then analyzes. */
async function settle(client: pg.Client, onProgress: OnProgress): Promise<void> {
  await client.query('set role app_owner');
  let drained = 0;
  for (let more = true; more; ) {
    const { rows } = await client.query<{ drain: { rows: number; more: boolean } }>(
      'select millrace.drain()',
    );
    const { drain } = rows[0] as (typeof rows)[0];
    drained += drain.rows;
    more = drain.more;
    onProgress('Counters', drained, more ? drained * 2 : drained);
  }
  onProgress('Statistics', 0, 1);
  await client.query(
    'analyze app_public.account, app_public.conversation, app_public.opinion, ' +
      'app_public.opinion_vote',
  );
  onProgress('Statistics', 1, 1);
}
