import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { guarded } from '../../../scripts/lib/pg-owner.ts';
import { backendPid } from '../../lib/database.ts';
import { letTimePass, runJobs, taskList } from './jobs.ts';
import {
  compare,
  compareLive,
  compareRelations,
  drainAll,
  keptByKey,
  type SettleOptions,
  settle,
} from './oracle.ts';
import { type Relation, TASK_LOCK } from './relations.ts';
import { type Derived, WORLD } from './world.ts';

/*
 * The stage of a scenario: named connections, a gate at which a statement of the engine can be held
 * after it took its snapshot and before it ends, and the oracle. A step waits for a lock that is
 * seen, never for a clock.
 */

export interface Actor {
  client: pg.Client;
  pid: number;
  query(sql: string): Promise<pg.QueryResult>;
}

export interface Stage {
  /** A new connection as the owner. */
  actor(): Promise<Actor>;
  /** … as the login, which may do more than the owner. */
  login(): Promise<Actor>;
  /** The connection that stands for everybody else. */
  query(sql: string): Promise<pg.QueryResult>;
  /**
   * Starts work on an actor's connection and waits until its backend is seen waiting for a lock, or
   * the work has ended without. An error of it is a fault.
   */
  untilBlocked<T>(actor: Actor, work: () => Promise<T>): Promise<Running<T>>;
  /** Holds, from now on, statements of this actor that update a target, at their end. */
  holdAtGate(actor: Actor): Promise<void>;
  openGate(): Promise<void>;
  /** Holds, from now on, the tasks of reactions between reading and writing. */
  holdTasks(): Promise<void>;
  openTasks(): Promise<void>;
  /** Resolves when some backend waits for this advisory lock; false if `until` is true before. */
  waitsFor(lock: number, until: () => boolean): Promise<boolean>;
  /** What waits for a moment is due. */
  letTimePass(): Promise<void>;
  /** The jobs that can be claimed now run to their end. */
  runJobs(): Promise<void>;
  /** Drains and ticks as if enough time had passed, and runs what is scheduled then. */
  turn(): Promise<void>;
  /** What the worker does for a relation, on an actor's connection. */
  recompute(name: string, actor?: Actor): Promise<pg.QueryResult>;
  /** Compares live reads with what they have to be. */
  live(when: string, of?: readonly Relation[], client?: pg.ClientBase): Promise<void>;
  /** Compares stored relations, and what reactions noted, with what they have to be now. */
  stored(when: string): Promise<void>;
  /** Compares exact reads with recounts. */
  check(when: string, of?: readonly Derived[], client?: pg.ClientBase): Promise<void>;
  /** Drains everything and checks what must hold then; `drifts` where drift was made on purpose. */
  settle(options?: SettleOptions): Promise<void>;
  drainAll(slice?: number): Promise<void>;
  /** What was wrong, in the order of finding it. */
  faults: string[];
}

export interface Running<T> {
  /** Whether the work was seen waiting. */
  waited: boolean;
  /** What it gave in the end; null if it failed. */
  done: Promise<T | null>;
}

/** The gate: a trigger on targets that waits for a lock which the stage holds. */
export const GATE = `
  create function proof.wait_at_gate()
    returns trigger
    language plpgsql
  as $$
  begin
    if current_setting('proof.gate', true) = 'closed' then
      perform pg_advisory_xact_lock_shared(471100);
    end if;
    return null;
  end
  $$;
  create function proof.wait_at_command()
    returns event_trigger
    language plpgsql
  as $$
  begin
    if current_setting('proof.gate', true) = 'closed' then
      perform pg_advisory_xact_lock_shared(471100);
    end if;
  end
  $$;
  create trigger _999_gate after update on app_public.conversation
    for each statement execute function proof.wait_at_gate();
  create trigger _999_gate after update on app_public.opinion
    for each statement execute function proof.wait_at_gate();
  create trigger _999_gate after update on proof.label
    for each statement execute function proof.wait_at_gate();
  create trigger _999_gate after insert or update or delete on proof.shop_sheet
    for each statement execute function proof.wait_at_gate();
`;

/** The advisory lock of the gate. */
const GATE_LOCK = 471100;

/** Votes of ten accounts on every opinion, counted and drained: what scenarios begin with. */
export const VOTES = `
  insert into app_public.opinion_vote (opinion_id, conversation_id, voter_id, choice)
    select o.id, o.conversation_id, v,
      (array['agree', 'disagree', 'pass'])[(o.id + v) % 3 + 1]::app_public.vote_choice
    from app_public.opinion o, generate_series(1, 10) v;
`;

export async function withStage(
  connectionString: string,
  work: (stage: Stage) => Promise<void>,
): Promise<string[]> {
  const actors: pg.Client[] = [];
  const faults: string[] = [];

  async function actor(options: string | undefined = '-c role=app_owner'): Promise<Actor> {
    const client = new pg.Client({ connectionString, options });
    client.on('error', () => undefined);
    await client.connect();
    actors.push(client);
    return { client, pid: await backendPid(client), query: (sql) => client.query(sql) };
  }

  const main = await actor();
  const keeper = await actor();
  const pool = guarded(
    new pg.Pool({ connectionString, options: '-c role=app_owner', max: 3 }),
    'jobs',
  );
  const tasks = await taskList(main.client);
  const stage: Stage = {
    actor: () => actor(),
    login: () => actor(''),
    query: (sql) => main.client.query(sql),
    async untilBlocked(who, work) {
      let ended = false;
      const done = work().then(
        (result) => {
          ended = true;
          return result;
        },
        (error: Error) => {
          ended = true;
          faults.push(`failed: ${error.message}`);
          return null;
        },
      );
      for (;;) {
        const { rows } = await keeper.client.query<{ blocked: boolean }>(
          'select cardinality(pg_blocking_pids($1)) > 0 as blocked',
          [who.pid],
        );
        if (rows[0]?.blocked) return { waited: true, done };
        if (ended) return { waited: false, done };
        await pause(1);
      }
    },
    async holdAtGate(who) {
      await keeper.query(`select pg_advisory_lock(${GATE_LOCK})`);
      await who.query("set proof.gate = 'closed'");
    },
    async openGate() {
      await keeper.query(`select pg_advisory_unlock(${GATE_LOCK})`);
    },
    async holdTasks() {
      await keeper.query(`select pg_advisory_lock(${TASK_LOCK})`);
    },
    async openTasks() {
      await keeper.query(`select pg_advisory_unlock(${TASK_LOCK})`);
    },
    async waitsFor(lock, until) {
      for (;;) {
        const { rows } = await keeper.client.query<{ count: number }>(
          `select count(*)::integer as count from pg_locks l
          join pg_database d on d.oid = l.database and d.datname = current_database()
          where l.locktype = 'advisory' and l.objid = $1 and not l.granted`,
          [lock],
        );
        if (rows[0]!.count > 0) return true;
        if (until()) return false;
        await pause(1);
      }
    },
    letTimePass: () => letTimePass(main.client),
    runJobs: () => runJobs(pool, tasks),
    async turn() {
      await drainAll(main.client);
      await letTimePass(main.client);
      await main.query('select millrace.tick()');
      await runJobs(pool, tasks);
      await main.query('select millrace.tick()');
    },
    recompute: (name, who = main) =>
      who.client.query('call millrace.recompute($1)', [JSON.stringify({ name })]),
    async live(when, of, client = main.client) {
      const { faults: found } = await compareLive(client, of ?? (await keptByKey(client)));
      faults.push(...found.map((line) => `${when}: ${line}`));
    },
    async stored(when) {
      const found = await compareRelations(main.client);
      faults.push(...found.map((line) => `${when}: ${line}`));
    },
    async check(when, of = WORLD, client = main.client) {
      const { faults: found } = await compare(client, of);
      faults.push(...found.map((line) => `${when}: ${line}`));
    },
    async settle(options) {
      const settled = await settle(main.client, WORLD, options);
      faults.push(...settled.faults);
    },
    async drainAll(slice) {
      await drainAll(main.client, slice);
    },
    faults,
  };
  try {
    await work(stage);
    return faults;
  } finally {
    await pool.end();
    await Promise.all(actors.map((client) => client.end().catch(() => undefined)));
  }
}
