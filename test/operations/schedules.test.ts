import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseCrontab } from 'graphile-worker';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { ROOT } from '../../scripts/lib/config.ts';
import { vacuumTables } from '../../scripts/lib/vacuum.ts';
import { startWorker, type Worker } from '../../scripts/lib/worker.ts';
import { until } from '../host/until.ts';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';

let db: TestDatabase;
let folder: string;
let worker: Worker | null = null;

beforeAll(async () => {
  db = await createTestDatabase();
  folder = await mkdtemp(join(tmpdir(), 'millrace-schedules-'));
});

afterEach(async () => {
  await worker?.stop();
  worker = null;
});

afterAll(async () => {
  await db.drop();
  await rm(folder, { recursive: true });
});

interface Run {
  name: string;
  note: string | null;
  error: string | null;
  seconds: number;
}

const runs = async (name: string) =>
  (
    await db.pool.query<Run>(
      `select name, note, error, extract(epoch from finished_at - started_at)::float8 as seconds
       from millrace.run_log where kind = 'schedule' and name = $1 order by id`,
      [name],
    )
  ).rows;

describe('the crontab', () => {
  const lines = async () => parseCrontab(await readFile(join(ROOT, 'tasks/crontab'), 'utf8'));

  test('makes up for what was missed, once, and tries again a bounded number of times', async () => {
    for (const { identifier, options } of await lines()) {
      // The rolling comparison goes on where it was: there is nothing to make up for.
      if (identifier !== 'reconcile_rolling') {
        expect(options.backfillPeriod, identifier).toBeGreaterThan(0);
      }
      expect(options.jobKey, identifier).toBe(identifier);
      expect(options.jobKeyMode, identifier).toBe('preserve_run_at');
      expect(options.maxAttempts, identifier).toBeLessThanOrEqual(10);
    }
  });

  test.for([
    ['monitor', '2026-11-22T08:07:00Z', true],
    ['watch_statistics', '2026-11-22T08:15:00Z', true],
    ['watch_statistics', '2026-11-22T08:16:00Z', false],
    ['reconcile', '2026-11-22T03:00:00Z', true],
    ['reconcile', '2026-11-22T04:00:00Z', false],
    ['partitions', '2026-11-22T01:30:00Z', true],
    ['review_security', '2026-11-22T08:40:00Z', true],
  ] as const)('%s at %s: %s', async ([name, at, due]) => {
    const date = new Date(at);
    const line = (await lines()).find(({ identifier }) => identifier === name);
    const digest = {
      min: date.getUTCMinutes(),
      hour: date.getUTCHours(),
      date: date.getUTCDate(),
      month: date.getUTCMonth() + 1,
      dow: date.getUTCDay(),
    };
    expect(line?.match(digest)).toBe(due);
  });
});

describe('a worker that starts', () => {
  const start = async (taskDirectory: string) => {
    worker = await startWorker({
      connectionString: db.connectionString,
      taskDirectory,
      pollInterval: 20,
    });
  };
  /** As if the schedules had last been seen to so long ago. */
  const awayFor = (identifier: string, interval: string) =>
    db.pool.query(
      `update graphile_worker._private_known_crontabs
       set known_since = now() - interval '30 days', last_execution = now() - $2::interval
       where identifier = $1`,
      [identifier, interval],
    );

  test('makes up for what was missed while there was none, and logs it', async () => {
    await writeFile(join(folder, 'crontab'), '* * * * * missed ?fill=1h&jobKey=missed&max=1\n');
    await writeFile(join(folder, 'missed.sql'), 'select pg_sleep(0.01)');
    // The first start only learns of the schedule.
    await start(folder);
    await worker?.stop();
    await db.pool.query("delete from millrace.run_log where kind = 'schedule'");
    await awayFor('missed', '20 minutes');
    await start(folder);
    const logged = await until(
      () => runs('missed'),
      (rows) => rows.some(({ note }) => note?.endsWith('missed then') === true),
    );
    expect(logged[0]?.error).toBeNull();
    expect(logged[0]?.note).toMatch(/^due \d{4}-\d\d-\d\dT.*Z, missed then$/);
    expect(logged[0]?.seconds).toBeGreaterThanOrEqual(0.01);
    // Twenty minutes were missed. With its key that is one run; more only if the worker is faster
    // than the schedule that is catching up.
    const made = logged.filter(({ note }) => note?.endsWith('missed then') === true);
    expect(made.length).toBeLessThan(20);
  });

  test('logs a run that failed, with its error', async () => {
    await writeFile(join(folder, 'crontab'), '* * * * * broken ?fill=1h&jobKey=broken&max=1\n');
    await writeFile(join(folder, 'broken.sql'), 'select 1 / 0');
    await start(folder);
    await worker?.stop();
    await awayFor('broken', '5 minutes');
    await start(folder);
    const [run] = await until(
      () => runs('broken'),
      (rows) => rows.length > 0,
    );
    expect(run?.error).toBe('division by zero');
  });

  test('does not log what no schedule asked for', async () => {
    await start(folder);
    await db.pool.query(
      "select graphile_worker.add_job('missed'); delete from millrace.run_log where name = 'missed'",
    );
    await until(
      async () =>
        (await db.pool.query("select from graphile_worker.jobs where task_identifier = 'missed'"))
          .rowCount,
      (count) => count === 0,
    );
    await worker?.stop();
    worker = null;
    expect((await runs('missed')).filter(({ note }) => note === null)).toEqual([]);
  });

  test('runs the tasks of this project, all of them', async () => {
    await db.pool.query("delete from millrace.run_log where kind = 'schedule'");
    await start(join(ROOT, 'tasks'));
    await worker?.stop();
    const lines = parseCrontab(await readFile(join(ROOT, 'tasks/crontab'), 'utf8'));
    const filled = lines.filter(({ options }) => options.backfillPeriod > 0);
    for (const { identifier, options } of filled) {
      await awayFor(identifier, `${options.backfillPeriod} milliseconds`);
    }
    await start(join(ROOT, 'tasks'));
    const expected = filled.map(({ task }) => task).sort();
    const logged = await until(
      async () =>
        (
          await db.pool.query<{ name: string; error: string | null }>(
            `select distinct on (name) name, error from millrace.run_log
             where kind = 'schedule' order by name, error nulls last`,
          )
        ).rows,
      (rows) => expected.every((task) => rows.some(({ name }) => name === task)),
      60_000,
    );
    expect(logged.filter(({ error }) => error !== null)).toEqual([]);
  });
});

describe('the analysis of statistics', () => {
  test('asks for the upkeep of tables that autovacuum has left behind, and a job sees to it', async () => {
    await db.pool.query(`
      create table app_private.neglected (id int primary key) with (autovacuum_enabled = false);
      insert into app_private.neglected select generate_series(1, 2000);
      delete from app_private.neglected where id > 500`);
    const stats = async () =>
      (
        await db.pool.query<{ dead: string; vacuumed: boolean; analyzed: boolean }>(
          `select n_dead_tup as dead, last_vacuum is not null as vacuumed,
             last_analyze is not null as analyzed
           from pg_stat_user_tables where relid = 'app_private.neglected'::regclass`,
        )
      ).rows[0];
    await until(stats, (row) => Number(row?.dead) >= 1500);
    const { rows: advice } = await db.pool.query(
      "select * from app_private.wants_upkeep(4) where relation = 'app_private.neglected'",
    );
    expect(advice).toMatchObject([{ reason: expect.stringMatching(/1500 of 2000 rows are dead/) }]);
    await db.pool.query('select app_private.watch_statistics()');
    worker = await startWorker({ connectionString: db.connectionString, pollInterval: 20 });
    await until(stats, (row) => row?.vacuumed === true && row.analyzed);
    const { rows: left } = await db.pool.query(
      "select * from app_private.wants_upkeep() where relation = 'app_private.neglected'",
    );
    expect(left).toEqual([]);
  });

  test('notes which indexes are used', async () => {
    const use = async () =>
      (
        await db.pool.query<{ used: boolean }>(
          `select used_at is not null as used from app_private.index_use
           where index_id = 'app_private.neglected_pkey'::regclass`,
        )
      ).rows[0];
    const client = await db.connect();
    await client.query('select app_private.watch_statistics()');
    expect(await use()).toEqual({ used: false });
    await client.query(
      'set enable_seqscan to off; select * from app_private.neglected where id = 7',
    );
    await until(
      async () => {
        await db.pool.query('select app_private.watch_statistics()');
        return use();
      },
      (row) => row?.used === true,
    );
  });

  test('a table that is gone, or is no table, is left out', async () => {
    const client = await db.connect();
    await client.query('reset role');
    await vacuumTables(client, [
      'app_private.gone',
      'app_public.newest_projects',
      'x; drop table app_private.neglected',
      'app_private.neglected',
    ]);
    const { rowCount } = await client.query('select from app_private.neglected');
    expect(rowCount).toBe(500);
  });
});

test('old samples, statements, alerts and runs are forgotten, newer ones are kept', async () => {
  await db.pool.query(`
    insert into app_private.host_sample
      (host, minute, requests, errors, statements, pool_size, pool_used_max, pool_acquisitions,
        pool_waits, pool_wait_max_ms)
    select 'h', now() - ago, 0, 0, 0, 0, 0, 0, 0, 0
    from unnest(array[interval '3 days', interval '1 day']) ago;
    insert into app_private.slow_statement (statement_hash, plan_hash, statement, calls, total_ms,
      max_ms, last_seen_at)
    values ('old', '', 's', 1, 1, 1, now() - interval '15 days'), ('new', '', 's', 1, 1, 1, now());
    insert into app_operator.alert (rule_name, fired_at, resolved_at, value, worst_value) values
      ('drift', now() - interval '200 days', now() - interval '199 days', 1, 1),
      ('drift', now() - interval '10 days', now() - interval '9 days', 1, 1),
      ('drift', now() - interval '200 days', null, 1, 1);
    insert into millrace.run_log (kind, name, started_at, finished_at, error) values
      ('schedule', 'monitor', now(), now() - interval '2 days', null),
      ('schedule', 'monitor', now(), now() - interval '2 days', 'failed'),
      ('schedule', 'reconcile', now(), now() - interval '2 days', null);
    insert into app_private.index_use (index_id, scans) values (4294967290, 1)`);
  await db.pool.query('select app_private.clean_up_operations()');
  const count = async (sql: string) => (await db.pool.query(sql)).rows.length;
  expect(await count("select from app_private.host_sample where host = 'h'")).toBe(1);
  expect(await count('select from app_private.slow_statement')).toBe(1);
  expect(await count("select from app_operator.alert where rule_name = 'drift'")).toBe(2);
  expect(
    await count("select from millrace.run_log where finished_at < now() - interval '1 day'"),
  ).toBe(2);
  expect(await count('select from app_private.index_use where index_id = 4294967290')).toBe(0);
});
