import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseCrontab } from 'graphile-worker';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { ROOT } from '../../scripts/lib/config.ts';
import { startWorker, type Worker } from '../../scripts/lib/worker.ts';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';
import { until } from './until.ts';

let db: TestDatabase;
let tasks: string;
let worker: Worker | null = null;

beforeAll(async () => {
  db = await createTestDatabase();
  tasks = await mkdtemp(join(tmpdir(), 'millrace-tasks-'));
  await db.pool.query(`
    create table app_private.note (text text, payload jsonb);
    create procedure app_private.note_twice(payload jsonb) language plpgsql as $$
    begin
      insert into app_private.note values ('first', note_twice.payload);
      commit;
      insert into app_private.note values ('second', note_twice.payload);
      commit;
      perform 1 / (note_twice.payload ->> 'divisor')::int;
    end $$;
  `);
  await writeFile(join(tasks, 'crontab'), '');
  await writeFile(
    join(tasks, 'note.sql'),
    "/* $2 is no parameter here. */ insert into app_private.note values ('note', $1) -- nor is $3",
  );
  await writeFile(join(tasks, 'plain.sql'), "insert into app_private.note values ('plain', null)");
  await writeFile(join(tasks, 'twice.sql'), 'call app_private.note_twice($1)');
});

afterEach(async () => {
  await worker?.stop();
  worker = null;
  await db.pool.query('truncate app_private.note');
});

afterAll(async () => {
  await db.drop();
  await rm(tasks, { recursive: true });
});

const start = async () => {
  worker = await startWorker({
    connectionString: db.connectionString,
    taskDirectory: tasks,
    pollInterval: 50,
  });
};
const add = (task: string, payload: unknown) =>
  db.pool.query('select graphile_worker.add_job($1, $2::json)', [task, JSON.stringify(payload)]);
const notes = async () =>
  (await db.pool.query<{ text: string; payload: unknown }>('select * from app_private.note')).rows;

describe('tasks that are SQL files', () => {
  test('get the payload, or take none', async () => {
    await start();
    await add('note', { a: [1, 'zwei'] });
    await add('plain', { ignored: true });
    const done = await until(notes, (rows) => rows.length === 2);
    expect(done).toEqual(
      expect.arrayContaining([
        { text: 'note', payload: { a: [1, 'zwei'] } },
        { text: 'plain', payload: null },
      ]),
    );
  });

  test('may call a procedure that commits; what fails later is tried again later', async () => {
    await start();
    await add('twice', { divisor: 0 });
    const failed = await until(
      async () =>
        (
          await db.pool.query<{ attempts: number; last_error: string; later: boolean }>(
            `select attempts, last_error, run_at > now() as later
             from graphile_worker._private_jobs where last_error is not null`,
          )
        ).rows,
      (rows) => rows.length === 1,
    );
    expect(failed[0]).toMatchObject({ attempts: 1, later: true });
    expect(failed[0]?.last_error).toMatch(/division by zero/);
    expect((await notes()).map(({ text }) => text)).toEqual(['first', 'second']);
  });

  test('a worker that stops finishes what it has', async () => {
    await start();
    await add('twice', { divisor: 1 });
    await until(notes, (rows) => rows.length > 0);
    await worker?.stop();
    worker = null;
    expect(await notes()).toHaveLength(2);
  });
});

describe('a worker that cannot report the end of its jobs', () => {
  test('is replaced, even where it shuts down and never ends', { timeout: 60_000 }, async () => {
    const held = await db.connect();
    await held.query('select pg_advisory_lock(4711)');
    await writeFile(
      join(tasks, 'held.sql'),
      "with held as (select pg_advisory_lock_shared(4711)) insert into app_private.note select 'held', null from held",
    );
    await db.pool.query(`
      create sequence app_private.refused;
      create function app_private.refuse() returns trigger language plpgsql as $$
      begin
        perform nextval('app_private.refused');
        raise exception 'not now';
      end $$;
      create trigger refuse before delete on graphile_worker._private_jobs
        for each statement execute function app_private.refuse()`);
    await start();
    // Two reports that fail, one after the other.
    await add('held', null);
    await until(
      async () =>
        (
          await db.pool.query(
            "select from pg_locks where locktype = 'advisory' and objid = 4711 and not granted",
          )
        ).rowCount,
      (waiting) => waiting === 1,
    );
    await add('plain', null);
    const refused = async () =>
      (
        await db.pool.query<{ count: number }>(
          'select case when is_called then last_value else 0 end::integer as count from app_private.refused',
        )
      ).rows[0]!.count;
    await until(refused, (count) => count === 1);
    await held.query('select pg_advisory_unlock(4711)');
    await until(refused, (count) => count === 2);
    await db.pool.query('drop trigger refuse on graphile_worker._private_jobs');
    // Not only what a runner that ends has claimed before.
    for (let count = 1; count <= 5; count += 1) {
      await add('note', 'later');
      const isNoted = (rows: { text: string }[]) =>
        rows.filter(({ text }) => text === 'note').length === count;
      await until(notes, isNoted, 40_000);
    }
    await held.end();
    await rm(join(tasks, 'held.sql'));
    // Locked by a host that is no more: the engine's tick would give them back.
    await db.pool.query('delete from graphile_worker._private_jobs');
  });
});

describe('the tasks of this project', () => {
  test('every line of the crontab names a task', async () => {
    const lines = parseCrontab(await readFile(join(ROOT, 'tasks/crontab'), 'utf8'));
    const files = await readdir(join(ROOT, 'tasks'));
    expect(lines.length).toBeGreaterThan(0);
    for (const { task } of lines) {
      expect(files.filter((file) => file.replace(/\.(sql|ts)$/, '') === task)).toHaveLength(1);
    }
  });

  test('reconcile repairs, cleanup runs', async () => {
    const { rows } = await db.pool.query<{ id: string }>(`
      with author as (insert into app_public.account (display_name) values ('A') returning id)
      insert into app_public.conversation (owner_id, topic) select id, 'T' from author returning id
    `);
    const id = rows[0]!.id;
    await db.pool.query('select millrace.drain()');
    await db.pool.query('update app_public.conversation set vote_count = 5 where id = $1', [id]);
    worker = await startWorker({ connectionString: db.connectionString, pollInterval: 50 });
    await add('reconcile', {});
    await add('cleanup', {});
    await until(
      async () =>
        (await db.pool.query('select vote_count from app_public.conversation where id = $1', [id]))
          .rows[0].vote_count,
      (count) => count === '0',
    );
    await until(
      async () =>
        Number(
          (
            await db.pool.query(
              'select count(*) from graphile_worker.jobs where last_error is null',
            )
          ).rows[0].count,
        ),
      (left) => left === 0,
    );
  });
});

describe('a worker that was killed', () => {
  test('has its job taken away by the tick, one that lives keeps its own', async () => {
    await writeFile(join(tasks, 'slow.sql'), 'select pg_sleep(600)');
    const module = JSON.stringify(join(ROOT, 'scripts/lib/worker.ts'));
    const options = JSON.stringify({
      connectionString: db.connectionString,
      taskDirectory: tasks,
      pollInterval: 50,
    });
    const child = spawn(
      process.execPath,
      ['--input-type=module', '-e', `(await import(${module})).startWorker(${options})`],
      { stdio: 'ignore' },
    );
    const lockedBy = async () => {
      const { rows } = await db.pool.query<{ locked_by: string | null }>(
        'select locked_by from graphile_worker.jobs where task_identifier = $1',
        ['slow'],
      );
      return rows[0]?.locked_by ?? null;
    };
    const silence = (host: string | null) =>
      db.pool.query(
        `update millrace.host set seen_at = seen_at - interval '1 hour' where id = $1`,
        [host],
      );
    try {
      await add('slow', {});
      await until(lockedBy, (by) => by !== null);
      const host = await lockedBy();
      await db.pool.query('select millrace.tick()');
      expect(await lockedBy(), 'while it lives').toBe(host);

      child.kill('SIGKILL');
      await once(child, 'exit');
      await silence(host);
      await db.pool.query('select millrace.tick()');
      expect(await lockedBy(), 'after its death').toBeNull();
    } finally {
      child.kill('SIGKILL');
      // As the login that the worker had: its sessions are for nobody else to end.
      const login = await db.connect();
      await login.query('set role none');
      await login.query(`
        select graphile_worker.complete_jobs(array(select id from graphile_worker.jobs));
        select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and wait_event = 'PgSleep'
      `);
    }
  });
});
