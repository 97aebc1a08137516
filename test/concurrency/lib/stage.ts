import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { backendPid } from '../../lib/database.ts';
import { compare, drainAll, settle } from './oracle.ts';
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
  /** Compares exact reads with recounts. */
  check(when: string, of?: readonly Derived[], client?: pg.ClientBase): Promise<void>;
  /** Drains everything and checks what must hold then; `drifts` where drift was made on purpose. */
  settle(options?: { drifts?: boolean }): Promise<void>;
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
  create trigger _999_gate after update on app_public.conversation
    for each statement execute function proof.wait_at_gate();
  create trigger _999_gate after update on app_public.opinion
    for each statement execute function proof.wait_at_gate();
  create trigger _999_gate after update on proof.label
    for each statement execute function proof.wait_at_gate();
`;

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

  async function actor(): Promise<Actor> {
    const client = new pg.Client({ connectionString, options: '-c role=app_owner' });
    client.on('error', () => undefined);
    await client.connect();
    actors.push(client);
    return { client, pid: await backendPid(client), query: (sql) => client.query(sql) };
  }

  const main = await actor();
  const keeper = await actor();
  const stage: Stage = {
    actor,
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
      await keeper.query('select pg_advisory_lock(471100)');
      await who.query("set proof.gate = 'closed'");
    },
    async openGate() {
      await keeper.query('select pg_advisory_unlock(471100)');
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
    await Promise.all(actors.map((client) => client.end().catch(() => undefined)));
  }
}
