import { execFile } from 'node:child_process';
import { appendFile, chmod, mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { clearLockedPorts } from 'get-port';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { log } from '../../scripts/lib/log.ts';
import { migrateUp } from '../../scripts/lib/migrations.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../scripts/lib/postgres.ts';
import { startTestCluster, type TestServer } from '../../scripts/lib/scratch.ts';
import { MUTANTS, type Mutant, plant } from '../concurrency/lib/mutants.ts';
import { DISCIPLINED } from '../concurrency/lib/operations.ts';
import { compare, compareLive, keptByKey, runToRest } from '../concurrency/lib/oracle.ts';
import { runSeed } from '../concurrency/lib/random.ts';
import { isDisconnect, sqlState } from '../concurrency/lib/session.ts';
import { createWorld, WORLD } from '../concurrency/lib/world.ts';
import { until } from '../host/until.ts';
import { databaseUrl } from '../lib/database-url.ts';
import { type Host, startHost } from './lib/host.ts';
import { type Load, type LoadReport, startLoad } from './lib/load.ts';
import { killPostgres } from './lib/postgres.ts';
import { faultsOf, untilQuiet, withOwnerClient } from './lib/whole.ts';

/*
 * What can happen to a server while relations, refreshes and reactions are at work, on one of this
 * test's own that writes as durably as a real one: it is killed, the disk of the logs is full, it
 * takes no more connections, its clock is set back. Transactions here write one row each, so that a
 * deadlock would be the engine's. After each: nothing is stuck, nothing is lost, everything derived
 * equals a recount. For each of them a planted fault shows that the checks would see it. The full
 * disk needs the right to mount a tmpfs (root), the clock Debian's package faketime: where they are
 * missing the run says what was not tested.
 *
 * PROOF_KILLS  how often the server is killed, turn by turn while a job of each kind is at work;
 *              default 3
 * PROOF_SEED   replays the transactions of a run
 */

const kills = Number(process.env.PROOF_KILLS ?? 3);
const seed = runSeed();
const TIMEOUT = 120_000 + kills * 20_000;
const SETTINGS = {
  shared_buffers: '128MB',
  max_connections: '50',
  // Recovery need not open every file of every world.
  ...(process.platform === 'linux' && { recovery_init_sync_method: 'syncfs' }),
};

let cluster: TestServer & { dataDir: string; port: number };
/** The server, once it was started again. */
let server: EmbeddedPostgres | null = null;
let host: Host | null = null;
let worlds = 0;

beforeAll(async () => {
  // It is as durable as it shall be once its template is there.
  cluster = await startTestCluster({ settings: SETTINGS });
  await migrateUp(cluster.connectionString);
  await withOwnerClient(cluster.connectionString, async (client) => {
    await createWorld(client);
    expect(await runToRest(client)).toEqual([]);
  });
  await administer('checkpoint');
  await killPostgres(cluster.dataDir);
  await startAgain();
}, 180_000);

afterEach(async () => {
  vi.restoreAllMocks();
  await stopHost();
});

async function stopHost(): Promise<void> {
  await host?.stop();
  host = null;
}

afterAll(async () => {
  await server?.stop();
  await cluster?.stop();
});

/** On the maintenance database, as the superuser. */
async function administer(statement: string): Promise<pg.QueryResult> {
  const client = new pg.Client({
    connectionString: databaseUrl(cluster.connectionString, 'postgres'),
  });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await client.query(statement);
  } finally {
    await client.end();
  }
}

async function withWorld(work: (connectionString: string) => Promise<void>): Promise<void> {
  worlds += 1;
  const name = `world_${worlds}`;
  await administer(`create database ${name} template millrace strategy file_copy`);
  try {
    await work(databaseUrl(cluster.connectionString, name));
  } finally {
    await stopHost();
    await administer(`drop database ${name} with (force)`);
  }
}

const query = (connectionString: string, sql: string) =>
  withOwnerClient(connectionString, (client) => client.query(sql));

const sell = (item: number) =>
  `insert into proof.sale (item_id, buyer, amount) values (${item}, 'buyer 1', 5)`;

const startDisciplinedLoad = (connectionString: string): Load =>
  startLoad({
    connectionString,
    seed,
    alone: true,
    filter: { only: [...DISCIPLINED, 'sell', 'log events'] },
  });

/** Starts the server again, where it was, with what else is set in its environment. */
async function startAgain(environment: Record<string, string> = {}): Promise<void> {
  const before = { ...process.env };
  Object.assign(process.env, environment);
  // Who chooses ports here does not give the same one twice in a short time.
  clearLockedPorts();
  try {
    server = await startEmbeddedPostgres({
      dataDir: cluster.dataDir,
      port: cluster.port,
      settings: SETTINGS,
    });
  } finally {
    for (const name of Object.keys(environment)) delete process.env[name];
    Object.assign(process.env, before);
  }
  expect(server.port, 'hosts and writers look for it where it was').toBe(cluster.port);
}

/** Where a machine has not what a test needs, it says so: nothing is left out unnoticed. */
function leaveOut(skip: (reason: string) => never, reason: string): never {
  console.warn(`NOT TESTED: ${expect.getState().currentTestName}: ${reason}`);
  return skip(reason);
}

function expectNoDeadlock(report: LoadReport): void {
  expect(report.deadlocks, 'deadlocks').toEqual([]);
}

describe('kill -9 of Postgres', () => {
  const KINDS = ['recompute', 'refresh', 'proof_note_item'];

  /** Writes rows one after the other, and knows which were acknowledged. */
  function startLedger(connectionString: string) {
    const acknowledged: number[] = [];
    let over = false;
    async function write(): Promise<void> {
      let client: pg.Client | null = null;
      for (let id = 1; !over; id += 1) {
        try {
          if (client === null) {
            client = new pg.Client({ connectionString, options: '-c role=app_owner' });
            client.on('error', () => undefined);
            await client.connect();
          }
          await client.query(
            `with sold as (${sell(id % 40)}) insert into proof.receipt values (${id})`,
          );
          acknowledged.push(id);
          await pause(10);
        } catch (error) {
          // An item that is not there just now refuses its sale.
          if (!isDisconnect(error)) {
            sqlState(error);
            continue;
          }
          await client?.end().catch(() => undefined);
          client = null;
          await pause(20);
        }
      }
      await client?.end().catch(() => undefined);
    }
    const running = write();
    return {
      async stop() {
        over = true;
        await running;
        return acknowledged;
      },
    };
  }

  /** Kills the server in the moment in which a job of this task is seen at work. */
  async function killDuring(connectionString: string, task: string): Promise<void> {
    await withOwnerClient(connectionString, async (client) => {
      await until(
        async () =>
          (
            await client.query(
              `select from graphile_worker._private_jobs j
              join graphile_worker._private_tasks t on t.id = j.task_id
              where t.identifier = $1 and j.locked_at is not null limit 1`,
              [task],
            )
          ).rowCount,
        (found) => found === 1,
        60_000,
      );
      await killPostgres(cluster.dataDir);
    });
  }

  test('while jobs of all kinds are at work', { timeout: TIMEOUT }, async () => {
    await withWorld(async (connectionString) => {
      await query(connectionString, 'create table proof.receipt (id bigint primary key)');
      host = await startHost(connectionString);
      const load = startDisciplinedLoad(connectionString);
      const ledger = startLedger(connectionString);
      const recoveries: number[] = [];
      for (let round = 0; round < kills; round += 1) {
        await load.committed(30);
        await killDuring(connectionString, KINDS[round % KINDS.length] as string);
        const begun = performance.now();
        await startAgain();
        recoveries.push(performance.now() - begun);
      }
      await load.committed(30);
      const report = await load.stop();
      const acknowledged = await ledger.stop();
      await untilQuiet(connectionString, 90_000);
      console.log(
        `seed ${seed}: ${kills} kills, ${acknowledged.length} acknowledged, recovery ` +
          `${recoveries.map((ms) => ms.toFixed(0)).join(', ')} ms, load ${JSON.stringify(report)}`,
      );
      expect((await query(connectionString, 'show fsync')).rows).toEqual([{ fsync: 'on' }]);
      const { rows } = await query(connectionString, 'select id::integer from proof.receipt');
      const there = new Set(rows.map(({ id }) => id as number));
      expect(
        acknowledged.filter((id) => !there.has(id)),
        'lost',
      ).toEqual([]);
      expect(report.disconnected).toBeGreaterThan(0);
      expectNoDeadlock(report);
      await stopHost();
      expect(await faultsOf(connectionString)).toEqual([]);
    });
  });

  test('logs that a crash empties would be seen', { timeout: TIMEOUT }, async () => {
    await withWorld(async (connectionString) => {
      await query(
        connectionString,
        `do $$ declare v_log regclass; begin
          for v_log in select s.log from millrace.source s loop
            execute format('alter table %s set unlogged', v_log);
          end loop;
        end $$`,
      );
      await query(connectionString, sell(1));
      await killPostgres(cluster.dataDir);
      await startAgain();
      host = await startHost(connectionString);
      await untilQuiet(connectionString);
      await stopHost();
      expect((await faultsOf(connectionString)).join('\n')).toMatch(
        /proof\.shop_sheet is not the recount/,
      );
    });
  });
});

describe('a disk of the logs that is full', () => {
  /** A small file system, where this process may mount one; else the reason why not. */
  async function mountSmall(): Promise<{ path: string } | { reason: string }> {
    const path = join(dirname(cluster.dataDir), 'small');
    await mkdir(path, { recursive: true });
    const { uid, gid } = await stat(cluster.dataDir);
    try {
      await promisify(execFile)('mount', [
        ...['-t', 'tmpfs', '-o', `size=32m,mode=700,uid=${uid},gid=${gid}`],
        ...['millrace-test', path],
      ]);
    } catch (error) {
      return { reason: `a tmpfs cannot be mounted here: ${(error as Error).message}` };
    }
    return { path };
  }

  /** Lets the logs and work tables of a world be on a disk that can be filled. */
  async function withSmallDisk(
    skip: (reason: string) => never,
    work: (
      connectionString: string,
      disk: { fill(): Promise<void>; free(): Promise<void> },
    ) => Promise<void>,
  ): Promise<void> {
    const mounted = await mountSmall();
    if ('reason' in mounted) return leaveOut(skip, mounted.reason);
    const ballast = join(mounted.path, 'ballast');
    try {
      await administer(`create tablespace small location '${mounted.path}'`);
      await administer('grant create on tablespace small to app_owner');
      try {
        await withWorld(async (connectionString) => {
          await query(
            connectionString,
            `do $$ declare v_move text; begin
              for v_move in
                select format('alter %s millrace_log.%I set tablespace small',
                  case c.relkind when 'i' then 'index' else 'table' end, c.relname)
                from pg_catalog.pg_class c
                where c.relnamespace = 'millrace_log'::regnamespace and c.relkind in ('r', 'i')
              loop
                execute v_move;
              end loop;
            end $$`,
          );
          await work(connectionString, {
            async fill() {
              for (const size of [1_048_576, 8_192, 1]) {
                try {
                  for (;;) await appendFile(ballast, Buffer.alloc(size));
                } catch (error) {
                  if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
                }
              }
            },
            free: () => rm(ballast),
          });
        });
      } finally {
        await administer('drop tablespace small');
      }
    } finally {
      await promisify(execFile)('umount', ['--lazy', mounted.path]);
    }
  }

  test('refuses writes, not reads, and loses nothing', { timeout: TIMEOUT }, async ({ skip }) => {
    await withSmallDisk(skip, async (connectionString, disk) => {
      host = await startHost(connectionString);
      const load = startDisciplinedLoad(connectionString);
      await load.committed(30);
      await disk.fill();
      const during = await withOwnerClient(connectionString, async (holder) => {
        // No space of drained rows is used again while somebody sees them.
        await holder.query('begin isolation level repeatable read');
        await holder.query('select');
        await until(
          async () => {
            await pause(20);
            return load.report.failed['53100'] ?? 0;
          },
          (refused) => refused >= 30,
          60_000,
        );
        await holder.query('commit');
        return [
          ...(await compare(holder, WORLD)).faults,
          ...(await compareLive(holder, await keptByKey(holder))).faults,
        ];
      });
      await disk.free();
      await load.committed(30);
      const report = await load.stop();
      await untilQuiet(connectionString);
      console.log(`seed ${seed}: disk full, load ${JSON.stringify(report)}`);
      expect(during, 'exact and live reads while it was full').toEqual([]);
      expectNoDeadlock(report);
      await stopHost();
      expect(await faultsOf(connectionString)).toEqual([]);
    });
  });

  test('if a writer went on without its log, it would be seen', {
    timeout: TIMEOUT,
  }, async ({ skip }) => {
    const goesOn: Mutant = {
      name: 'a writer goes on without its log',
      mistake: 'the trigger takes a full disk for nothing to write home about',
      edits: [
        {
          routine: 'millrace_log.proof__sale__insert',
          find: 'return null;',
          replace: 'return null; exception when disk_full then return null;',
        },
      ],
      caughtBy: 'truncate',
    };
    await withSmallDisk(skip, async (connectionString, disk) => {
      await withOwnerClient(connectionString, (client) => plant(client, goesOn));
      await disk.fill();
      let unlogged = 0;
      await withOwnerClient(connectionString, async (client) => {
        // What fits into the pages that are there is logged.
        await until(
          async () => {
            await client.query(`insert into proof.sale (item_id, buyer, amount)
              select 1, 'buyer 1', 5 from generate_series(1, 500)`);
            const { rows } = await client.query<{ missing: number }>(
              `select (select count(*) from proof.sale where item_id = 1)::integer
                - (select count(*) from millrace_log.proof__sale)::integer as missing`,
            );
            unlogged = rows[0]!.missing;
          },
          () => unlogged > 500,
          60_000,
        );
      });
      await disk.free();
      host = await startHost(connectionString);
      await untilQuiet(connectionString);
      await stopHost();
      expect((await faultsOf(connectionString)).join('\n')).toMatch(/proof\.shop.* recount/);
    });
  });
});

test('a server that takes no more connections', { timeout: TIMEOUT }, async () => {
  await withWorld(async (connectionString) => {
    host = await startHost(connectionString);
    const load = startDisciplinedLoad(connectionString);
    await load.committed(30);
    const warned = vi.spyOn(log, 'warn');
    const keeper = new pg.Client({ connectionString });
    await keeper.connect();
    const hoard: pg.Client[] = [];
    try {
      // Whoever is cut finds its place taken.
      await until(
        async () => {
          await keeper.query(
            `select pg_terminate_backend(a.pid) from pg_stat_activity a
            where a.application_name = 'load' or a.application_name like 'millrace %'`,
          );
          for (;;) {
            const client = new pg.Client({ connectionString, application_name: 'hoard' });
            client.on('error', () => undefined);
            try {
              await client.connect();
              hoard.push(client);
            } catch (error) {
              expect(sqlState(error)).toBe('53300');
              break;
            }
          }
          const { rowCount } = await keeper.query(
            `select from pg_stat_activity a
            where a.application_name = 'load' or a.application_name like 'millrace %'`,
          );
          return rowCount;
        },
        (others) => others === 0,
        60_000,
      );
      const said = (message: string) =>
        (warned.mock.calls as unknown[][]).filter((call) => call[1] === message).length;
      await until(
        async () => {
          await pause(20);
          return { ticks: said('a tick failed'), beats: said('a heartbeat failed') };
        },
        ({ ticks, beats }) => ticks >= 2 && beats >= 1 && load.report.disconnected >= 20,
        60_000,
      );
    } finally {
      await Promise.all(hoard.map((client) => client.end()));
      await keeper.end();
    }
    await load.committed(30);
    const report = await load.stop();
    await untilQuiet(connectionString);
    console.log(`seed ${seed}: ${hoard.length} connections taken, load ${JSON.stringify(report)}`);
    expectNoDeadlock(report);
    await stopHost();
    expect(await faultsOf(connectionString)).toEqual([]);
    // A lock that a lost connection left behind would stop this.
    const { rows } = await query(connectionString, 'select millrace.tick() as tick');
    expect(rows[0].tick).not.toHaveProperty('busy');
    host = await startHost(connectionString, { ticker: false });
    await query(connectionString, sell(1));
    await expect(
      untilQuiet(connectionString, 2_000),
      'a ticker that did not come back would be seen',
    ).rejects.toThrow(/proof__sale has rows/);
  });
});

describe('a clock that is set back', () => {
  const LIBRARY = '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1';

  /** Starts the server with a clock that can be set. */
  async function withClock(
    skip: (reason: string) => never,
    work: (set: (seconds: number) => Promise<void>) => Promise<void>,
  ): Promise<void> {
    if (!(await stat(LIBRARY).catch(() => null))) {
      return leaveOut(skip, `${LIBRARY} is not there (Debian's package faketime): no clock to set`);
    }
    const file = join(dirname(cluster.dataDir), 'clock');
    await writeFile(file, '+0');
    await chmod(dirname(cluster.dataDir), 0o755);
    await server?.stop();
    await startAgain({
      LD_PRELOAD: LIBRARY,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_CACHE_DURATION: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    });
    try {
      await work(async (seconds) => {
        await writeFile(file, `${seconds < 0 ? '' : '+'}${seconds}`);
        await until(
          async () => {
            const { rows } = await administer(
              'select extract(epoch from clock_timestamp())::float8 as now',
            );
            return (rows[0] as { now: number }).now - Date.now() / 1000 - seconds;
          },
          (difference) => Math.abs(difference) < 30,
          60_000,
        );
      });
    } finally {
      await server?.stop();
      await startAgain();
    }
  }

  test('stops nothing, nor one that is put right', { timeout: TIMEOUT }, async ({ skip }) => {
    await withClock(skip, async (set) => {
      await withWorld(async (connectionString) => {
        host = await startHost(connectionString);
        const load = startDisciplinedLoad(connectionString);
        await load.committed(50);
        await set(-3600);
        await load.committed(50);
        expectNoDeadlock(await load.stop());
        await untilQuiet(connectionString);
        await set(0);
        const after = startDisciplinedLoad(connectionString);
        await after.committed(30);
        expectNoDeadlock(await after.stop());
        await untilQuiet(connectionString);
        await stopHost();
        expect(await faultsOf(connectionString)).toEqual([]);
      });
    });
  });

  test('if marks from the future waited, it would be seen', {
    timeout: TIMEOUT,
  }, async ({ skip }) => {
    const waits = MUTANTS.find(({ name }) => name === 'the clock never goes back');
    await withClock(skip, async (set) => {
      await withWorld(async (connectionString) => {
        await withOwnerClient(connectionString, async (client) => {
          await plant(client, waits as Mutant);
          await client.query(sell(1));
          await client.query('select millrace.drain()');
        });
        await set(-3600);
        host = await startHost(connectionString);
        await expect(untilQuiet(connectionString, 3_000)).rejects.toThrow(
          /keys of proof\.shop_sheet wait/,
        );
      });
    });
  });
});
