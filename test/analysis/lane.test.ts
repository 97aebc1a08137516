import type pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startAnalysisLane } from '../../scripts/lib/analysis-lane.ts';
import { QUEUE, requestAnalysis } from '../../scripts/lib/analysis-queue.ts';
import { startTicker } from '../../scripts/lib/ticker.ts';
import { startWorker } from '../../scripts/lib/worker.ts';
import { runScript, type ScriptProcess } from '../host/process.ts';
import { until } from '../host/until.ts';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';
import { addVotes, type MadeConversation, makeConversation } from './lib/conversation.ts';
import { twoCamps } from './lib/made-up.ts';

/*
 * From vote to published result, through tick, graphile-worker, pg-boss and thread; and what is left
 * when a part of it dies.
 *
 * A run is held up where a test wants it by a lock on a table that it reads or writes there, and
 * nobody else.
 */

let db: TestDatabase;
let made: MadeConversation;
const running: { stop(): Promise<void> }[] = [];
const processes: ScriptProcess[] = [];

beforeAll(async () => {
  db = await createTestDatabase();
});
beforeEach(async () => {
  // Jobs that earlier tests have left would be worked off first, and held up in place of ours.
  await db.pool.query(`do $$ begin
    if to_regclass('pgboss.job') is not null then delete from pgboss.job; end if;
  end $$`);
  made = await makeConversation(db, twoCamps(20, 12));
});
afterEach(async () => {
  for (const part of running.splice(0).reverse()) await part.stop();
  for (const { child, ended } of processes.splice(0)) {
    child.kill('SIGKILL');
    await ended;
  }
});
afterAll(async () => {
  await db?.drop();
});

async function startLane(): Promise<void> {
  running.push(
    await startAnalysisLane({
      connectionString: db.connectionString,
      keep: 3,
      superviseInterval: 1,
    }),
  );
}

async function request(): Promise<void> {
  const client = await db.connect();
  await requestAnalysis(client, made.id);
  await client.end();
}

interface State {
  /** The published result. */
  run: string | null;
  generation: number;
  votes: number;
  /** The job that waits or runs. */
  job: string | null;
  deferred: boolean;
  failed: boolean;
}

async function state(): Promise<State> {
  const { rows } = await db.pool.query<State>(
    `select r.id as run, coalesce(r.generation, 0)::int as generation,
      coalesce(r.vote_count, 0) as votes, j.state::text as job,
      coalesce(j.start_after > clock_timestamp(), false) as deferred,
      q.failed_at is not null as failed
    from app_public.conversation c
    left join app_public.analysis_run r on r.conversation_id = c.id and r.is_published
    left join app_private.analysis_request q on q.conversation_id = c.id
    left join pgboss.job j
      on j.name = $2 and j.singleton_key = c.id::text and j.state < 'completed'
    where c.id = $1`,
    [made.id, QUEUE],
  );
  return rows[0] as State;
}

/** Lets a job that waits for its time run now. */
const hurry = () =>
  db.pool.query(
    `update pgboss.job set start_after = clock_timestamp()
    where name = $1 and singleton_key = $2 and state in ('created', 'retry')`,
    [QUEUE, String(made.id)],
  );

const WHILE = {
  reading: 'lock table app_public.participant_position in access exclusive mode',
  writing: 'lock table app_private.opinion_group_stats in exclusive mode',
} as const;

/** Holds up the next run; resolves with the connection that does, to be rolled back. */
async function holdUp(step: keyof typeof WHILE): Promise<pg.Client> {
  const gate = await db.connect();
  await gate.query('begin');
  await gate.query(WHILE[step]);
  return gate;
}

const heldUp = () =>
  until(
    async () => {
      const { rows } = await db.pool.query<{ n: number }>(
        `select count(*)::int as n from pg_stat_activity
        where datname = current_database() and application_name = 'millrace analysis'
          and cardinality(pg_blocking_pids(pid)) > 0`,
      );
      return rows[0]?.n;
    },
    (n) => n === 1,
    60_000,
  );

const votesOf = async () =>
  (
    await db.pool.query<{ n: number }>(
      `select count(*)::int as n from app_public.opinion_vote where conversation_id = $1`,
      [made.id],
    )
  ).rows[0]?.n;

describe('the lane', () => {
  it('publishes what votes ask for, all the way from a vote', async () => {
    await startLane();
    running.push(await startWorker({ connectionString: db.connectionString, pollInterval: 50 }));
    running.push(startTicker({ connectionString: db.connectionString }));
    await addVotes(db.pool, made, twoCamps(24, 12, 3));
    const { votes } = await until(state, ({ run }) => run !== null, 60_000);
    expect(votes).toBe(await votesOf());
    await until(
      async () =>
        (
          await db.pool.query(
            `select from app_public.opinion_analysis
            where conversation_id = $1 and cardinality(group_votes) > 1`,
            [made.id],
          )
        ).rowCount,
      (rows) => rows === 12,
      60_000,
    );
  }, 150_000);

  it('a vote during a run causes another, though its request finds a job running', async () => {
    await startLane();
    const gate = await holdUp('writing');
    await request();
    await heldUp();
    await addVotes(db.pool, made, twoCamps(24, 12, 3));
    await request();
    expect(await state()).toMatchObject({ run: null, job: 'active' });
    await gate.query('rollback');
    expect(await until(state, ({ run }) => run !== null, 60_000)).toMatchObject({
      generation: 1,
      job: 'created',
      deferred: true,
    });
    await hurry();
    const { votes } = await until(state, ({ generation }) => generation === 2, 60_000);
    expect(votes).toBe(await votesOf());
    expect(await until(state, ({ job }) => job === null, 60_000)).toMatchObject({ generation: 2 });
  }, 150_000);

  it('has one job of a conversation, however often it is asked for', async () => {
    await startLane();
    const gate = await holdUp('reading');
    await request();
    await heldUp();
    for (let round = 0; round < 5; round += 1) await request();
    const { rows } = await db.pool.query(
      `select state::text, count(*)::int as n from pgboss.job
      where name = $1 and singleton_key = $2 group by state`,
      [QUEUE, String(made.id)],
    );
    expect(rows).toEqual([{ state: 'active', n: 1 }]);
    await gate.query('rollback');
    await until(state, ({ run }) => run !== null, 60_000);
  }, 150_000);

  it.each(['reading', 'writing'] as const)(
    'killed while %s, it leaves what was published, and another host goes on',
    async (step) => {
      const worker = runScript('../test/analysis/lib/lane-process', {
        DATABASE_URL: db.connectionString,
      });
      processes.push(worker);
      await worker.printed(/working/);
      await request();
      const before = await until(state, ({ run, job }) => run !== null && job === null, 60_000);
      expect(before.generation).toBe(1);

      const gate = await holdUp(step);
      await addVotes(db.pool, made, twoCamps(24, 12, 3));
      await request();
      await heldUp();
      worker.child.kill('SIGKILL');
      await worker.ended;
      await gate.query('rollback');
      expect(await state()).toMatchObject({ run: before.run, job: 'active' });

      await startLane();
      const after = await until(state, ({ run }) => run !== before.run, 90_000);
      expect(after.generation).toBe(2);
      expect(after.votes).toBe(await votesOf());
    },
    240_000,
  );

  it('gives up what fails again and again, says so, and tries later', async () => {
    await startLane();
    await db.pool.query(
      "update pgboss.queue set retry_limit = 0 where name = 'analyze_conversation'",
    );
    await db.pool.query(`
      create function app_private.tg_refuse() returns trigger language plpgsql as $$
      begin raise exception 'no room for results' using errcode = '53100'; end $$;
      create trigger refuse before insert on app_public.analysis_run
        for each row execute function app_private.tg_refuse();
    `);
    await request();
    const given = await until(state, ({ failed, job }) => failed && job === 'created', 60_000);
    expect(given).toMatchObject({ run: null, deferred: true });
    const { rows } = await db.pool.query(
      'select last_error from app_private.analysis_request where conversation_id = $1',
      [made.id],
    );
    expect(rows[0].last_error).toContain('no room for results');
    await db.pool.query('drop function app_private.tg_refuse() cascade');
    await hurry();
    expect(await until(state, ({ run }) => run !== null, 60_000)).toMatchObject({ failed: false });
  }, 150_000);

  it('a conversation that is gone ends its job', async () => {
    await startLane();
    const gate = await holdUp('reading');
    await request();
    await heldUp();
    await db.pool.query('update app_public.conversation set deleted_at = now() where id = $1', [
      made.id,
    ]);
    await gate.query('rollback');
    await until(state, ({ job }) => job === null, 60_000);
    await request();
    expect(await state()).toMatchObject({ run: null, job: null });
  }, 150_000);
});

it('without queues a request fails and leaves nothing', async () => {
  const empty = await createTestDatabase();
  const client = await empty.connect();
  const other = await makeConversation(empty, twoCamps(3, 3));
  await expect(requestAnalysis(client, other.id)).rejects.toThrow();
  expect((await empty.pool.query('select from app_private.analysis_request')).rowCount).toBe(0);
  await empty.drop();
});
