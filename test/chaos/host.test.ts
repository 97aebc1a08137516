import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { compare, compareLive, keptByKey } from '../concurrency/lib/oracle.ts';
import { createRandom, runSeed } from '../concurrency/lib/random.ts';
import { DELIBERATION } from '../concurrency/lib/world.ts';
import { createWorlds, type Worlds, withOwner } from '../concurrency/lib/worlds.ts';
import { until } from '../host/until.ts';
import { type Host, startHost, startTickerProcess } from './lib/host.ts';
import { startLoad } from './lib/load.ts';
import { faultsOf, untilQuiet, withOwnerClient } from './lib/whole.ts';

/*
 * Hosts under load: a ticker that is killed at random and in the midst of a tick, several that fight
 * for the tick, connections of a host that are cut, and a transaction that stays open across many
 * drains.
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

async function drains(connectionString: string): Promise<number> {
  return await withOwnerClient(connectionString, async (client) => {
    const { rows } = await client.query<{ count: number }>(
      "select count(*)::integer as count from millrace.run_log where kind = 'drain'",
    );
    return rows[0]!.count;
  });
}

test('tickers that are killed', { timeout: TIMEOUT }, async () => {
  const random = createRandom(`${seed}/tickers`);
  await withWorld(async (connectionString) => {
    hosts.push(await startHost(connectionString, { ticker: false }));
    const load = startLoad({ connectionString, seed });
    for (let round = 0; round < kills; round += 1) {
      const ticker = startTickerProcess(connectionString);
      try {
        await ticker.printed('ticking');
        const before = await drains(connectionString);
        await until(
          () => drains(connectionString),
          (count) => count > before,
          60_000,
        );
        await pause(random.between(0, 200));
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
    expect(await faultsOf(connectionString)).toEqual([]);
  });
});

test('a ticker that is killed in the midst of a tick', { timeout: TIMEOUT }, async () => {
  await withWorld(async (connectionString) => {
    const ticker = startTickerProcess(connectionString);
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
      await untilQuiet(connectionString);
    } finally {
      await ticker.kill();
    }
    await stopHosts();
    expect(await faultsOf(connectionString)).toEqual([]);
  });
});

test('hosts that fight for the tick, and for the jobs', { timeout: TIMEOUT }, async () => {
  await withWorld(async (connectionString) => {
    for (let host = 0; host < 3; host += 1) hosts.push(await startHost(connectionString));
    const load = startLoad({ connectionString, seed });
    let busy = 0;
    let twice: string[] = [];
    await withOwnerClient(connectionString, async (client) => {
      const enough = load.report.committed + 150;
      while (load.report.committed < enough || busy < 10) {
        const ticks = await Promise.all(
          [0, 1].map(() =>
            withOwnerClient(connectionString, (other) =>
              other.query<{ tick: { busy?: boolean } }>('select millrace.tick() as tick'),
            ),
          ),
        );
        busy += ticks.filter(({ rows }) => rows[0]!.tick.busy).length;
        const { rows: jobs } = await client.query<{ line: string }>(
          `select format('%s jobs for %s', count(*), j.key) as line
          from graphile_worker.jobs j where j.attempts < j.max_attempts
          group by j.key having count(*) > 1`,
        );
        twice = twice.concat(jobs.map(({ line }) => line));
      }
    });
    // One after the other goes; the last has to do it all.
    for (const host of hosts.splice(0, 2)) await host.stop();
    await load.committed(20);
    const report = await load.stop();
    await untilQuiet(connectionString);
    console.log(
      `seed ${seed}: ${busy} ticks found another at work, load ${JSON.stringify(report)}`,
    );
    expect(twice).toEqual([]);
    await stopHosts();
    expect(await faultsOf(connectionString)).toEqual([]);
  });
});

test('a host whose connections are cut', { timeout: TIMEOUT }, async () => {
  const random = createRandom(`${seed}/cuts`);
  await withWorld(async (connectionString) => {
    hosts.push(await startHost(connectionString));
    const load = startLoad({ connectionString, seed });
    let cut = 0;
    await withOwner(connectionString, async (client) => {
      await client.query('set role none');
      while (cut < cuts) {
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
    const report = await load.stop();
    await untilQuiet(connectionString, 90_000);
    console.log(`seed ${seed}: ${cut} connections cut, load ${JSON.stringify(report)}`);
    await stopHosts();
    expect(await faultsOf(connectionString)).toEqual([]);
  });
});

test('a transaction that stays open across many drains', { timeout: TIMEOUT }, async () => {
  await withWorld(async (connectionString) => {
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
    await untilQuiet(connectionString);
    console.log(
      `seed ${seed}: open for ${openSeconds} s and ${drained} drains, load ${JSON.stringify(report)}`,
    );
    expect(faults).toEqual([]);
    expect(drained).toBeGreaterThanOrEqual(5);
    await stopHosts();
    expect(await faultsOf(connectionString)).toEqual([]);
  });
});
