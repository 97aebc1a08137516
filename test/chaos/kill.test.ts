import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { migrateUp } from '../../scripts/lib/migrations.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../scripts/lib/postgres.ts';
import { startTestCluster, type TestServer } from '../../scripts/lib/scratch.ts';
import { compare, settle } from '../concurrency/lib/oracle.ts';
import { createRandom, runSeed } from '../concurrency/lib/random.ts';
import { isDisconnect, sqlState } from '../concurrency/lib/session.ts';
import { conversationOf, DELIBERATION, DELIBERATION_ROWS, SIZE } from '../concurrency/lib/world.ts';
import { killPostgres } from './lib/postgres.ts';

/*
 * kill -9 of Postgres in mid-load, on a server of this test's own that writes as durably as a real
 * one (fsync on). Clients remember what became of each vote: acknowledged, rolled back, or unknown
 * because the server died between commit and answer. After every recovery the acknowledged ones are
 * there, the rolled back ones are not, each unknown one is there or not, and all counters equal a
 * recount.
 *
 * PROOF_KILLS  how often the server is killed; default 4, turn by turn all of it and one backend
 * PROOF_VOTES  votes that are acknowledged before each kill; default 400
 * PROOF_SEED   replays the choices of a run
 */

const kills = Number(process.env.PROOF_KILLS ?? 4);
const votes = Number(process.env.PROOF_VOTES ?? 400);
const CLIENTS = 6;
/** Accounts of each client in a round: more than it can vote with before the server is killed. */
const ACCOUNTS = 2 * votes + 100;

/** A vote is known by its voter and opinion; nobody votes twice. */
interface Ledger {
  acknowledged: Set<string>;
  rolledBack: Set<string>;
  unknown: Set<string>;
  moderations: number;
  drains: number;
}

let cluster: TestServer & { dataDir: string; port: number };
let server: EmbeddedPostgres | null = null;
let connectionString = '';

beforeAll(async () => {
  cluster = await startTestCluster({ durable: true, settings: { fsync: 'on' } });
  connectionString = cluster.connectionString;
  await migrateUp(connectionString);
  const client = await connect();
  await client.query(DELIBERATION_ROWS);
  // Enough voters that no vote is cast twice.
  await client.query(`insert into app_public.account (id, display_name) overriding system value
    select a, 'Account ' || a
    from generate_series(${SIZE.accounts + 1}, ${SIZE.accounts + kills * CLIENTS * ACCOUNTS}) a`);
  await client.end();
}, 120_000);

afterAll(async () => {
  await server?.stop();
  await cluster.stop();
});

async function connect(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString, options: '-c role=app_owner' });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** Everything of the server, or one backend of it, ends without a chance to tidy up. */
async function killServer(whole: boolean, victim: number): Promise<void> {
  if (!whole) {
    process.kill(victim, 'SIGKILL');
    return;
  }
  await killPostgres(cluster.dataDir);
}

/** Starts the server again if it is down; resolves with a connection once it has recovered. */
async function recover(whole: boolean): Promise<pg.Client> {
  if (whole) {
    server = await startEmbeddedPostgres({ dataDir: cluster.dataDir, port: cluster.port });
    connectionString = server.connectionString;
  }
  for (;;) {
    try {
      const client = await connect();
      await client.query('select 1');
      return client;
    } catch (error) {
      if (!isDisconnect(error)) throw error;
      await pause(20);
    }
  }
}

/** Clients vote, moderate and drain until somebody kills the server. */
async function load(ledger: Ledger, round: number, seed: string): Promise<{ whole: boolean }> {
  const before = ledger.acknowledged.size;
  const whole = round % 2 === 0;
  let killed = false;
  const backends: number[] = [];
  // The server ends all connections once it has noticed; until then it would still let somebody in.
  const canary = await connect();
  const noticed = new Promise<void>((resolve) => canary.once('end', resolve));

  async function voter(index: number): Promise<void> {
    const random = createRandom(`${seed}/${round}/${index}`);
    const client = await connect();
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
    backends.push(rows[0]!.pid);
    let account = SIZE.accounts + (round * CLIENTS + index) * ACCOUNTS;
    while (!killed) {
      account += 1;
      const opinions = [random.between(1, SIZE.opinions)];
      if (random.chance(0.3)) opinions.push((opinions[0]! % SIZE.opinions) + 1);
      const ids = opinions.map((opinion) => `${account}:${opinion}`);
      const rollback = random.chance(0.1);
      let committing = false;
      try {
        await client.query('begin');
        for (const opinion of opinions) {
          await client.query(
            `insert into app_public.opinion_vote (opinion_id, conversation_id, voter_id, choice)
            values ($1, $2, $3, $4)`,
            [opinion, conversationOf(opinion), account, random.pick(['agree', 'disagree', 'pass'])],
          );
        }
        committing = !rollback;
        await client.query(rollback ? 'rollback' : 'commit');
        for (const id of ids) ledger[rollback ? 'rolledBack' : 'acknowledged'].add(id);
      } catch (error) {
        if (!isDisconnect(error)) throw error;
        for (const id of ids) ledger[committing ? 'unknown' : 'rolledBack'].add(id);
        await client.end().catch(() => undefined);
        return;
      }
    }
    await client.end().catch(() => undefined);
  }

  async function other(
    name: string,
    work: (client: pg.Client, random: ReturnType<typeof createRandom>) => Promise<void>,
  ): Promise<void> {
    const random = createRandom(`${seed}/${round}/${name}`);
    const client = await connect();
    while (!killed) {
      try {
        await work(client, random);
      } catch (error) {
        if (isDisconnect(error)) break;
        sqlState(error);
        throw error;
      }
      await pause(random.between(1, 15));
    }
    await client.end().catch(() => undefined);
  }

  async function killer(): Promise<void> {
    while (ledger.acknowledged.size - before < votes) await pause(1);
    await killServer(whole, backends[round % backends.length] as number);
    await noticed;
    killed = true;
  }

  await Promise.all([
    ...Array.from({ length: CLIENTS }, (_, index) => voter(index)),
    other('moderator', async (client, random) => {
      await client.query('update app_public.opinion set moderation = $1 where id = $2', [
        random.pick(['moved', 'hidden', null]),
        random.between(1, SIZE.opinions),
      ]);
      ledger.moderations += 1;
    }),
    other('drainer', async (client, random) => {
      await client.query('select millrace.drain($1)', [random.pick([7, 50, 20_000])]);
      ledger.drains += 1;
    }),
    other('reconciler', async (client) => {
      await client.query('select millrace.reconcile(repair => true)');
    }),
    killer(),
  ]);
  return { whole };
}

describe('kill -9', () => {
  const seed = runSeed();
  const ledger: Ledger = {
    acknowledged: new Set(),
    rolledBack: new Set(),
    unknown: new Set(),
    moderations: 0,
    drains: 0,
  };
  const recoveries: number[] = [];
  let survived = 0;

  afterAll(() => {
    console.log(
      `seed ${seed}: ${recoveries.length} kills; ${ledger.acknowledged.size} votes acknowledged, ` +
        `${ledger.rolledBack.size} rolled back, ${ledger.unknown.size} unknown of which ${survived} are there; ` +
        `${ledger.moderations} moderations, ${ledger.drains} drains; recovery ` +
        `${recoveries.map((ms) => ms.toFixed(0)).join(', ')} ms`,
    );
  });

  test.each(Array.from({ length: kills }, (_, round) => round))(
    'round %i loses nothing and counts nothing twice',
    async (round) => {
      const { whole } = await load(ledger, round, seed);
      const begun = performance.now();
      const client = await recover(whole);
      recoveries.push(performance.now() - begun);
      try {
        const { rows: settings } = await client.query('show fsync');
        expect(settings).toEqual([{ fsync: 'on' }]);
        const { values, faults } = await compare(client, DELIBERATION);
        expect(values).toBeGreaterThan(0);
        expect(faults, 'exact reads after the recovery').toEqual([]);

        const { rows } = await client.query<{ id: string }>(
          `select voter_id || ':' || opinion_id as id from app_public.opinion_vote`,
        );
        const there = new Set(rows.map(({ id }) => id));
        expect(
          [...ledger.acknowledged].filter((id) => !there.has(id)),
          'lost',
        ).toEqual([]);
        expect(
          [...ledger.rolledBack].filter((id) => there.has(id)),
          'came back',
        ).toEqual([]);
        survived = [...ledger.unknown].filter((id) => there.has(id)).length;
        expect(there.size).toBe(ledger.acknowledged.size + survived);

        const settled = await settle(client, DELIBERATION, { relations: false });
        expect(settled.faults, 'after the last drain').toEqual([]);
        const { rows: drift } = await client.query('select * from millrace.drift_log');
        expect(drift).toEqual([]);
      } finally {
        await client.end();
      }
    },
    120_000,
  );
});
