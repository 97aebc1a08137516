/*
 * Loads the community of demo-community.ts, what it shows (demo-discovery.ts), what it writes to
 * each other (demo-messaging.ts) and what its clients report (demo-telemetry.ts), with COPY, in one
 * transaction, through the tables' ordinary triggers, and drains what they logged.
 *
 * A database has the demo data once: the accounts' external ids (`demo:<batch>:<n>`) tell. Asked to
 * nevertheless, it gets another batch, which is another community.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { loadAgents, planAgents } from './demo-agents.ts';
import { type DemoPlan, planDemo } from './demo-community.ts';
import { planDiscovery } from './demo-discovery.ts';
import { idsInTime, loadDeliberation } from './demo-load-deliberation.ts';
import { loadDiscovery } from './demo-load-discovery.ts';
import { loadMessaging } from './demo-load-messaging.ts';
import { copyItems, type Loader, time } from './demo-loader.ts';
import { type DemoSuspension, planMessaging } from './demo-messaging.ts';
import { loadTelemetry } from './demo-telemetry.ts';

export interface DemoOptions {
  /**
   * How much: 1 is 2,000 accounts, 60 conversations with about 80,000 votes, 1,000 projects with
   * 50,000 upvotes and 10,000 comments, 300 chains, 20,000 messages, 10,000 events; linear. Default 1.
   */
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
  projects: number;
  upvotes: number;
  comments: number;
  chains: number;
  directMessages: number;
  agents: number;
  agentUpdates: number;
  telemetryEvents: number;
  /** Draining included. */
  seconds: number;
}

/** Drains between two looks for logs that they have emptied. */
const DRAINS_A_VACUUM = 20;

const NOTHING = {
  accounts: 0,
  conversations: 0,
  opinions: 0,
  votes: 0,
  projects: 0,
  upvotes: 0,
  comments: 0,
  chains: 0,
  directMessages: 0,
  agents: 0,
  agentUpdates: 0,
  telemetryEvents: 0,
};

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
      return { loaded: false, batch: last, ...NOTHING, seconds: seconds() };
    }
    const loader = { client, batch: last + 1, onProgress };
    const counts = await load(loader, scale);
    await client.query('commit');
    await settle(client, onProgress);
    return { loaded: true, batch: loader.batch, ...counts, seconds: seconds() };
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Copies everything; returns how much there was. */
async function load(loader: Loader, scale: number): Promise<typeof NOTHING> {
  const { batch } = loader;
  const plan = planDemo(scale, batch);
  const { accounts } = plan;
  const isGuest = (index: number) => (accounts[index] as { guest: boolean }).guest;
  const discovery = planDiscovery(accounts.length, isGuest, scale, batch);
  const officials = new Set([plan.moderator, ...discovery.validators]);
  const messaging = planMessaging(accounts.length, (it) => !officials.has(it), scale, batch);

  // What began later has the greater id.
  const ids = await idsInTime(loader, 'app_public.account', accounts);
  const account = (index: number) => ids[index] as string;
  await loadAccounts(loader, plan, discovery.validators, messaging.suspensions, account);
  const votes = await loadDeliberation(loader, plan, account);
  await loadDiscovery(loader, discovery, account);
  await loadMessaging(loader, messaging, account);
  const agents = planAgents(accounts.length, scale, batch);
  await loadAgents(loader, agents, account);
  const telemetryEvents = await loadTelemetry(loader, accounts.length, scale, account);
  return {
    accounts: accounts.length,
    conversations: plan.conversations.length,
    opinions: plan.opinions.length,
    votes,
    projects: discovery.sizes.projects,
    upvotes: discovery.sizes.upvotes,
    comments: discovery.sizes.comments,
    chains: discovery.sizes.chains,
    directMessages: messaging.sizes.directMessages,
    agents: agents.sizes.agents,
    agentUpdates: agents.sizes.agentUpdates,
    telemetryEvents,
  };
}

/** Copies the accounts, with where they come from, their roles and suspensions. */
async function loadAccounts(
  loader: Loader,
  plan: DemoPlan,
  validators: number[],
  suspensions: DemoSuspension[],
  account: (index: number) => string,
): Promise<void> {
  const step = 'Accounts';
  const count = plan.accounts.length;
  const suspendedAt = new Map(
    suspensions
      .filter(({ withdrawnAt }) => withdrawnAt === null)
      .map((it) => [it.account, it.createdAt]),
  );
  await copyItems(
    loader,
    step,
    'app_public.account (id, display_name, is_guest, created_at, suspended_at)',
    plan.accounts,
    count,
    (it, index) => [
      account(index),
      it.name,
      it.guest,
      time(it.createdAt),
      time(suspendedAt.get(index) ?? null),
    ],
  );
  await copyItems(
    loader,
    step,
    'app_private.account_origin (account_id, external_id)',
    plan.accounts,
    count,
    (_, index) => [account(index), `demo:${loader.batch}:${index + 1}`],
  );
  await copyItems(
    loader,
    step,
    'app_private.account_role (account_id, role)',
    [
      [account(plan.moderator), 'moderator'],
      ...validators.map((index) => [account(index), 'validator']),
    ],
    1 + validators.length,
    (row) => row,
  );
  await copyItems(
    loader,
    step,
    'app_public.account_suspension ' +
      '(account_id, moderator_id, reason, created_at, withdrawn_at, withdrawn_by_id)',
    suspensions,
    suspensions.length,
    (it) => [
      account(it.account),
      account(plan.moderator),
      it.reason,
      time(it.createdAt),
      time(it.withdrawnAt),
      it.withdrawnAt === null ? null : account(plan.moderator),
    ],
  );
}

/**
 * Analyzes, so that the drain of so much is planned well (but nothing empty: a table known to be so
 * is read as a whole, which it soon should not be), drains what the load has logged, computes the
 * derived relations, and gives back the space of the logs.
 */
async function settle(client: pg.Client, onProgress: Loader['onProgress']): Promise<void> {
  await client.query('set role app_owner');
  onProgress('Statistics', 0, 1);
  const { rows: tables } = await client.query<{ list: string }>(`
    select string_agg(oid::regclass::text, ', ') as list from pg_class
    where relkind = 'r' and pg_relation_size(oid) > 0 and relnamespace = any (
      '{app_public,app_hidden,app_private,millrace_log}'::regnamespace[])`);
  await client.query(`analyze ${tables[0]?.list}`);
  onProgress('Statistics', 1, 1);

  onProgress('Counters', 0, 1);
  let drained = 0;
  let drains = 0;
  for (let more = true; more; ) {
    const { rows } = await client.query<{
      drain: { rows: number; more: boolean; busy?: boolean };
    }>('select millrace.drain()');
    const { drain } = rows[0] as (typeof rows)[0];
    if (drain.busy === true) {
      // A ticker is at it: in turns.
      await sleep(50);
      continue;
    }
    drained += drain.rows;
    drains += 1;
    more = drain.more;
    onProgress('Counters', drained, more ? drained * 2 : drained);
    // Every drain reads the pages of all logs, of those that it has emptied too.
    if (drains % DRAINS_A_VACUUM === 0) await vacuumLogs(client, true);
  }

  const { rows: relations } = await client.query<{ name: string }>(
    "select name from millrace.derivation where kind = 'materialize' order by id",
  );
  for (const [index, { name }] of relations.entries()) {
    onProgress('Relations', index, relations.length);
    await client.query('select millrace.run_now($1)', [name]);
  }
  onProgress('Relations', relations.length, relations.length);

  onProgress('Logs', 0, 1);
  await vacuumLogs(client, false);
  onProgress('Logs', 1, 1);
}

/** Gives back what the load has left of logs; of those only that are empty already, if so asked. */
async function vacuumLogs(client: pg.ClientBase, onlyEmpty: boolean): Promise<void> {
  const { rows } = await client.query<{ logs: string[] }>('select millrace.large_logs() as logs');
  for (const name of rows[0]?.logs ?? []) {
    const { rows: found } = onlyEmpty
      ? await client.query<{ waits: boolean }>(`select exists (select from ${name}) as waits`)
      : { rows: [] };
    if (found[0]?.waits !== true) {
      await client.query(`vacuum (analyze ${!onlyEmpty}, truncate) ${name}`);
    }
  }
}
