import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { MUTANTS, type Mutant, plant } from '../concurrency/lib/mutants.ts';
import type { OperationFilter } from '../concurrency/lib/operations.ts';
import { compare, compareLive, keptByKey } from '../concurrency/lib/oracle.ts';
import { createRandom, runSeed } from '../concurrency/lib/random.ts';
import { TASK_LOCK } from '../concurrency/lib/relations.ts';
import { sqlState } from '../concurrency/lib/session.ts';
import { DELIBERATION, WORLD } from '../concurrency/lib/world.ts';
import { createWorlds, type Worlds, withOwner } from '../concurrency/lib/worlds.ts';
import { until } from '../host/until.ts';
import { LEASE, startForgetfulTicker } from './lib/broken-hosts.ts';
import {
  type Host,
  type HostProcess,
  startForgetfulProcess,
  startHost,
  startLeaseProcess,
  startTickerProcess,
} from './lib/host.ts';
import { startLoad } from './lib/load.ts';
import { faultsOf, untilQuiet, withOwnerClient } from './lib/whole.ts';

/*
 * Hosts under load: a ticker that is killed at random and in the midst of a tick, several that fight
 * for the tick, connections of a host that are cut, and a transaction that stays open across many
 * drains. Each has a planted mistake beside it, of a host or of the engine, that it has to find.
 *
 * PROOF_TICKERS          how often a ticker is killed; default 4
 * PROOF_CUTS             how many of a host's connections are cut; default 30
 * MILLRACE_CHAOS_LONG=1  leaves the transaction open for a minute; default 5 seconds
 * PROOF_SEED             replays the transactions of a run
 */

const kills = Number(process.env.PROOF_TICKERS ?? 4);
const cuts = Number(process.env.PROOF_CUTS ?? 30);
const openSeconds = process.env.MILLRACE_CHAOS_LONG === '1' ? 60 : 5;
const seed = runSeed();
const TIMEOUT = 180_000 + openSeconds * 2_000 + (kills + cuts) * 2_000;

let worlds: Worlds;
const hosts: Host[] = [];

beforeAll(async () => {
  worlds = await createWorlds();
}, 120_000);

async function stopHosts(): Promise<void> {
  await Promise.all(hosts.splice(0).map((host) => host.stop()));
}

afterEach(stopHosts);

/** Runs `work` on a world of its own; the hosts that it started end before the world does. */
async function withWorld(work: (connectionString: string) => Promise<void>): Promise<void> {
  await worlds.with(async (connectionString) => {
    try {
      await work(connectionString);
    } finally {
      await stopHosts();
    }
  });
}

afterAll(async () => {
  await worlds?.drop();
});

async function plantNamed(connectionString: string, name: string): Promise<void> {
  const mutant = MUTANTS.find((it) => it.name === name);
  await withOwnerClient(connectionString, (client) => plant(client, mutant as Mutant));
}

async function drains(connectionString: string): Promise<number> {
  return await withOwnerClient(connectionString, async (client) => {
    const { rows } = await client.query<{ count: number }>(
      "select count(*)::integer as count from millrace.run_log where kind = 'drain'",
    );
    return rows[0]!.count;
  });
}

interface Killing {
  load: OperationFilter;
  start(connectionString: string): HostProcess;
  /** Resolves when the ticker may be killed. */
  atWork(ticker: HostProcess, connectionString: string): Promise<unknown>;
}

/** Kills tickers, one after the other; a good one does what they have left. What is wrong then. */
async function killTickers(connectionString: string, killing: Killing): Promise<string[]> {
  hosts.push(await startHost(connectionString, { ticker: false }));
  const load = startLoad({ connectionString, seed, filter: killing.load });
  for (let round = 0; round < kills; round += 1) {
    const ticker = killing.start(connectionString);
    try {
      await killing.atWork(ticker, connectionString);
    } finally {
      await ticker.kill();
    }
  }
  hosts.push(await startHost(connectionString, { worker: false }));
  await load.committed(50);
  const report = await load.stop();
  await untilQuiet(connectionString);
  console.log(`seed ${seed}: ${kills} tickers killed, load ${JSON.stringify(report)}`);
  await stopHosts();
  return await faultsOf(connectionString);
}

/** Writes that take nothing away: what was lost of them stays lost. */
const ADDITIVE: OperationFilter = { only: ['sell', 'vote', 'tag'] };

const LOST_SALE =
  /the stored sold_total is not the recount|reconcile finds drift .* proof\.shop\.sold_total/;

describe('tickers that are killed', () => {
  test('at any time', { timeout: TIMEOUT }, async () => {
    const random = createRandom(`${seed}/tickers`);
    await withWorld(async (connectionString) => {
      const faults = await killTickers(connectionString, {
        load: {},
        start: startTickerProcess,
        async atWork(ticker) {
          await ticker.printed('ticking');
          const before = await drains(connectionString);
          await until(
            () => drains(connectionString),
            (count) => count > before,
            60_000,
          );
          await pause(random.between(0, 200));
        },
      });
      expect(faults).toEqual([]);
    });
  });

  test('and that acknowledged before they worked would be seen', {
    timeout: TIMEOUT,
  }, async () => {
    await withWorld(async (connectionString) => {
      const faults = await killTickers(connectionString, {
        load: ADDITIVE,
        start: startForgetfulProcess,
        atWork: (ticker) => ticker.printed('taken'),
      });
      expect(faults).toContainEqual(expect.stringMatching(LOST_SALE));
    });
  });
});

/** Kills a ticker that waits in a tick, which begins as `start` says; another one goes on. */
async function killInTick(
  connectionString: string,
  start: (connectionString: string) => HostProcess,
): Promise<void> {
  const ticker = start(connectionString);
  try {
    await ticker.printed('ticking');
    await withOwner(connectionString, async (holder) => {
      await holder.query('begin');
      await holder.query(
        'lock table millrace_log.app_public__opinion_vote, millrace_log.proof__sale',
      );
      // It has the engine's lock, and waits for the log. (A transaction sees one state of activity.)
      await withOwnerClient(connectionString, (observer) =>
        until(
          async () =>
            (
              await observer.query(
                `select from pg_stat_activity a where a.application_name = 'millrace ticker'
                and a.datname = current_database()
                and cardinality(pg_blocking_pids(a.pid)) > 0`,
              )
            ).rowCount,
          (waiting) => waiting === 1,
        ),
      );
      await ticker.kill();
      hosts.push(await startHost(connectionString));
      await holder.query('rollback');
    });
    await withOwnerClient(connectionString, (client) =>
      client.query(`insert into proof.sale (item_id, buyer, amount) values (1, 'buyer 1', 5)`),
    );
  } finally {
    await ticker.kill();
  }
}

describe('a ticker that is killed in the midst of a tick', () => {
  test('leaves it to the next', { timeout: TIMEOUT }, async () => {
    await withWorld(async (connectionString) => {
      await killInTick(connectionString, startTickerProcess);
      await untilQuiet(connectionString);
      await stopHosts();
      expect(await faultsOf(connectionString)).toEqual([]);
    });
  });

  test('and whose lock outlived it would be seen', { timeout: TIMEOUT }, async () => {
    await withWorld(async (connectionString) => {
      await withOwnerClient(connectionString, (client) => client.query(LEASE));
      await killInTick(connectionString, startLeaseProcess);
      await expect(untilQuiet(connectionString, 3_000)).rejects.toThrow(/proof__sale has rows/);
      const { rows } = await withOwnerClient(connectionString, (client) =>
        client.query(
          'select millrace.tick() as tick, (select count(*)::int from proof.lease) as leases',
        ),
      );
      expect(rows).toMatchObject([{ tick: { busy: true }, leases: 1 }]);
    });
  });
});

/** What a fight has shown so far. */
interface Fight {
  drains: number;
  /** Transactions of the load. */
  committed: number;
  /** Ticks that found another at work. */
  busy: number;
  faults: string[];
}

/**
 * Three hosts and two more tickers, under load, until `isOver`; then the hosts go one after the
 * other. Until `isOpen` the tasks of the reactions are held, so that what they are about changes while
 * they run. In the end, unless there were faults already, everything is compared.
 */
async function fight(
  connectionString: string,
  isOpen: (state: Fight) => boolean,
  isOver: (state: Fight) => boolean,
): Promise<Fight> {
  for (let host = 0; host < 3; host += 1) hosts.push(await startHost(connectionString));
  const load = startLoad({ connectionString, seed });
  const state: Fight = { drains: 0, committed: 0, busy: 0, faults: [] };

  async function tick(): Promise<void> {
    try {
      const { rows } = await withOwnerClient(connectionString, (other) =>
        other.query<{ tick: { busy?: boolean } }>('select millrace.tick() as tick'),
      );
      if (rows[0]!.tick.busy) state.busy += 1;
    } catch (error) {
      state.faults.push(`a tick failed: ${sqlState(error)} ${(error as Error).message}`);
    }
  }

  await withOwnerClient(connectionString, async (client) => {
    await client.query('select pg_advisory_lock($1)', [TASK_LOCK]);
    let isHeld = true;
    do {
      await Promise.all([tick(), tick()]);
      const { rows: jobs } = await client.query<{ line: string }>(
        `select format('%s jobs for %s %s', count(*), t.identifier, j.payload::jsonb) as line
        from graphile_worker._private_jobs j
        join graphile_worker._private_tasks t on t.id = j.task_id
        where j.attempts < j.max_attempts or j.locked_at is not null
        group by t.identifier, j.payload::jsonb having count(*) > 1
        union all
        select format('two runs of %s at once for %s', o.task, o.key) from proof.overlap o`,
      );
      state.faults.push(...jobs.map(({ line }) => line));
      const { faults } = await compare(client, WORLD);
      state.faults.push(...faults.map((line) => `under load: ${line}`));
      state.committed = load.report.committed;
      state.drains = await drains(connectionString);
      if (isHeld && isOpen(state)) {
        await client.query('select pg_advisory_unlock($1)', [TASK_LOCK]);
        isHeld = false;
      }
    } while (isHeld || !isOver(state));
  });
  // One after the other goes; the last has to do it all.
  for (const host of hosts.splice(0, 2)) await host.stop();
  await load.committed(20);
  const report = await load.stop();
  console.log(
    `seed ${seed}: ${state.busy} ticks found another at work, load ${JSON.stringify(report)}`,
  );
  if (state.faults.length > 0) return state;
  await untilQuiet(connectionString);
  await stopHosts();
  state.faults.push(...(await faultsOf(connectionString)));
  return state;
}

describe('hosts that fight for the tick, and for the jobs', () => {
  test('do everything once', { timeout: TIMEOUT }, async () => {
    await withWorld(async (connectionString) => {
      const before = await drains(connectionString);
      let opened = 0;
      const { faults } = await fight(
        connectionString,
        (state) => {
          opened = state.committed;
          return state.committed >= 100 && state.drains >= before + 10;
        },
        ({ committed, busy }) => committed >= opened + 100 && busy >= 10,
      );
      expect(faults).toEqual([]);
    });
  });

  test.each([
    ['drain without its lock', /under load: |a tick failed|is not the recount|finds drift/],
    ['a run beside a run', /^\d+ jobs for |two runs of /],
  ])('%s would be seen', { timeout: TIMEOUT }, async (name, fault) => {
    await withWorld(async (connectionString) => {
      await plantNamed(connectionString, name);
      const isSeen = ({ committed, faults }: Fight) => {
        if (committed > 20_000) throw new Error('nobody has seen it');
        return faults.length > 0;
      };
      const { faults } = await fight(connectionString, isSeen, isSeen);
      expect(faults).toContainEqual(expect.stringMatching(fault));
    });
  });
});

/** Cuts connections of hosts, chosen at random, until `isEnough`. Resolves with how many. */
async function cutConnections(
  connectionString: string,
  isEnough: (cut: number) => boolean,
): Promise<number> {
  const random = createRandom(`${seed}/cuts`);
  let cut = 0;
  await withOwner(connectionString, async (client) => {
    await client.query('set role none');
    while (!isEnough(cut)) {
      if (cut > 20 * cuts) throw new Error(`${cut} cuts are not enough`);
      await pause(random.between(20, 120));
      const { rowCount } = await client.query(
        `select pg_terminate_backend(a.pid) from (
          select a.pid from pg_stat_activity a
          where a.datname = current_database() and a.application_name like 'millrace %'
          order by md5(a.pid::text || $1) limit 1
        ) a`,
        [String(random.next())],
      );
      cut += rowCount ?? 0;
    }
  });
  return cut;
}

describe('a host whose connections are cut', () => {
  test('opens them again, and has lost nothing', { timeout: TIMEOUT }, async () => {
    await withWorld(async (connectionString) => {
      hosts.push(await startHost(connectionString));
      const load = startLoad({ connectionString, seed });
      const cut = await cutConnections(connectionString, (count) => count >= cuts);
      const report = await load.stop();
      await untilQuiet(connectionString, 90_000);
      console.log(`seed ${seed}: ${cut} connections cut, load ${JSON.stringify(report)}`);
      await stopHosts();
      expect(await faultsOf(connectionString)).toEqual([]);
    });
  });

  test('and that acknowledges before it works would be seen', { timeout: TIMEOUT }, async () => {
    await withWorld(async (connectionString) => {
      hosts.push(await startHost(connectionString, { ticker: false }));
      const ticker = startForgetfulTicker(connectionString, () => pause(100));
      hosts.push(ticker);
      const load = startLoad({ connectionString, seed, filter: ADDITIVE });
      await cutConnections(connectionString, () => ticker.lost() > 0);
      await load.stop();
      await ticker.stop();
      hosts.push(await startHost(connectionString, { worker: false }));
      await untilQuiet(connectionString, 90_000);
      await stopHosts();
      expect(await faultsOf(connectionString)).toContainEqual(expect.stringMatching(LOST_SALE));
    });
  });
});

/**
 * Leaves a transaction that has written, and a snapshot, open across drains, and reads in both, until
 * something is wrong or it was long enough. What was wrong.
 */
async function stayOpen(connectionString: string): Promise<string[]> {
  hosts.push(await startHost(connectionString));
  const load = startLoad({
    connectionString,
    seed,
    // In an older snapshot a truncate since then, which is not MVCC-safe, would show.
    filter: {
      without: ['truncate votes', 'truncate opinions', 'truncate items', 'truncate labels'],
    },
  });
  const faults: string[] = [];
  const before = await drains(connectionString);
  await withOwner(connectionString, async (writer) => {
    await writer.query(`insert into app_public.account (id, display_name)
      overriding system value values (61, 'late')`);
    await writer.query('begin');
    await writer.query(`insert into app_public.opinion_vote
      (opinion_id, conversation_id, voter_id, choice) values (1, 2, 61, 'agree')`);
    await writer.query(`insert into proof.label (name) values ('label late')`);
    await writer.query(`insert into proof.tagging (item_id, label) values (1, 'label late')`);
    await withOwner(connectionString, async (reader) => {
      await reader.query('begin isolation level repeatable read');
      const kept = await keptByKey(reader);
      const deadline = performance.now() + openSeconds * 1000;
      do {
        // The old snapshot sees what it saw; a new one what there is now.
        for (const [client, when] of [
          [reader, 'in the old snapshot'],
          [writer, 'in the open transaction'],
        ] as const) {
          const exact = await compare(client, DELIBERATION);
          const live = await compareLive(client, kept);
          faults.push(...[...exact.faults, ...live.faults].map((line) => `${when}: ${line}`));
        }
        await pause(100);
      } while (
        faults.length === 0 &&
        (performance.now() < deadline || (await drains(connectionString)) - before < 5)
      );
      await reader.query('commit');
    });
    await writer.query('commit');
  });
  const report = await load.stop();
  const drained = (await drains(connectionString)) - before;
  console.log(
    `seed ${seed}: open for at most ${openSeconds} s, ${drained} drains, load ${JSON.stringify(report)}`,
  );
  if (faults.length > 0) return faults;
  await untilQuiet(connectionString);
  await stopHosts();
  return await faultsOf(connectionString);
}

describe('a transaction that stays open across many drains', () => {
  test('is counted in the end, and reads what is right meanwhile', {
    timeout: TIMEOUT,
  }, async () => {
    await withWorld(async (connectionString) => {
      expect(await stayOpen(connectionString)).toEqual([]);
    });
  });

  test('and that was taken for drained would be seen', { timeout: TIMEOUT }, async () => {
    await withWorld(async (connectionString) => {
      await plantNamed(connectionString, 'horizon past running transactions');
      expect(await stayOpen(connectionString)).toContainEqual(
        expect.stringMatching(/^in the open transaction: /),
      );
    });
  });
});
