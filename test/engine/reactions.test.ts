import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startWorker } from '../../scripts/lib/worker.ts';
import { until } from '../host/until.ts';
import { createTestDatabase, expectSqlState, type TestDatabase } from '../lib/database.ts';
import { CLEAN, GALLERY, generated, makeDue } from './lib/relations.ts';

/*
 * Reactions: which changes run a task for which keys, when, how often, and that no wake-up is lost.
 * Jobs are completed by hand and marks are moved back in time, so nothing depends on a clock; the
 * last tests run a real worker.
 */

let db: TestDatabase;
let client: pg.Client;

beforeAll(async () => {
  db = await createTestDatabase();
  client = await db.connect();
});

afterAll(async () => {
  await db.drop();
});

beforeEach(async () => {
  await client.query(CLEAN);
  await client.query(GALLERY);
  await client.query('delete from graphile_worker._private_jobs; delete from millrace.run_log');
});

const react = (more = '', key = '{album_id}') =>
  client.query(`select millrace.react('r_look', 'd.photo', '${key}', 'look' ${more})`);
const drain = () => client.query('select millrace.drain()');
const tick = () =>
  client.query("update millrace.run set look_at = null where key = '[]'; select millrace.tick()");
const dueTick = async () => {
  await makeDue(client, 'r_look');
  await tick();
};
async function jobs(): Promise<unknown[]> {
  const { rows } = await client.query(
    'select payload::jsonb as payload from graphile_worker._private_jobs order by payload::text',
  );
  return rows.map(({ payload }) => payload);
}
async function waiting(): Promise<unknown[]> {
  const { rows } = await client.query(
    "select key from millrace.refresh_queue where name = 'r_look' and marks > 0 order by key",
  );
  return rows.map(({ key }) => key);
}
async function status(): Promise<Record<string, unknown>> {
  const { rows } = await client.query(
    `select state, waiting_keys::integer as waiting, running::integer, dead_keys::integer as dead,
       last_error from millrace.status where name = 'r_look'`,
  );
  return rows[0];
}
const complete = () => client.query('delete from graphile_worker._private_jobs');
const start = () =>
  client.query(`update graphile_worker._private_jobs
    set locked_at = now(), locked_by = 'a test', attempts = attempts + 1`);
const fail = (attempts: number) =>
  client.query(
    `update graphile_worker._private_jobs set locked_at = null, locked_by = null,
       attempts = $1, last_error = 'no luck'`,
    [attempts],
  );

describe('a wrong declaration', () => {
  const call = (rest: string) => `select millrace.react(${rest})`;
  test.each([
    ['no plain name', 'MR001', call("'R-1', 'd.photo', '{album_id}', 'look'")],
    ['no name', 'MR001', call("null, 'd.photo', '{album_id}', 'look'")],
    ['an unknown source', 'MR001', call("'r_x', 'd.nothing', '{album_id}', 'look'")],
    ['no source', 'MR001', call("'r_x', null, '{album_id}', 'look'")],
    ['a view as a source', 'MR001', call("'r_x', 'd.shown', '{id}', 'look'")],
    ['no task', 'MR030', call("'r_x', 'd.photo', '{album_id}', ''")],
    ['a null task', 'MR030', call("'r_x', 'd.photo', '{album_id}', null")],
    ['no key', 'MR008', call("'r_x', 'd.photo', '{}', 'look'")],
    ['a key twice', 'MR008', call("'r_x', 'd.photo', '{id,id}', 'look'")],
    ['an unknown key', 'MR002', call("'r_x', 'd.photo', '{nothing}', 'look'")],
    ['a key that says where it is from', 'MR002', call("'r_x', 'd.photo', '{source.id}', 'look'")],
    ['a key of arrays', 'MR004', call("'r_x', 'd.photo', '{tags}', 'look'")],
    ['a key of json', 'MR004', call("'r_x', 'd.photo', '{raw}', 'look'")],
    ['a key named like a mark', 'MR011', call("'r_x', 'd.odd', '{first_at}', 'look'")],
    ['a key named like the log', 'MR011', call("'r_x', 'd.odd', '{sign}', 'look'")],
    ['a filter of no truth', 'MR004', call("'r_x', 'd.photo', '{id}', 'look', filter => 'size'")],
    [
      'one that does not parse',
      'MR006',
      call("'r_x', 'd.photo', '{id}', 'look', filter => 'size >'"),
    ],
    [
      'one of the moment',
      'MR007',
      call("'r_x', 'd.photo', '{id}', 'look', filter => 'taken_at < now()'"),
    ],
    [
      'an unknown column',
      'MR002',
      call("'r_x', 'd.photo', '{id}', 'look', columns => '{nothing}'"),
    ],
    ['a negative wait', 'MR024', call("'r_x', 'd.photo', '{id}', 'look', debounce => '-1 s'")],
    [
      'a max_wait below debounce',
      'MR024',
      call("'r_x', 'd.photo', '{id}', 'look', debounce => '9 s', max_wait => '1 s'"),
    ],
    [
      'a negative min_interval',
      'MR024',
      call("'r_x', 'd.photo', '{id}', 'look', min_interval => '-1 s'"),
    ],
  ])('%s is %s and leaves nothing behind', async (_, state, statement) => {
    await client.query(`create view d.shown as select id from d.photo;
      create table d.odd (id bigint primary key, first_at timestamptz, sign text)`);
    const before = await generated(client);
    const error = await expectSqlState(client.query(statement), state);
    expect(error.hint).toMatch(/\S/);
    expect(error.detail).toMatch(/\S/);
    expect(await generated(client)).toEqual(before);
  });
});

describe('a change', () => {
  test('runs the task once for each key, of old and new images', async () => {
    await react();
    await client.query('update d.photo set album_id = 2 where album_id = 1');
    await client.query('insert into d.photo (id, album_id) values (90, 3), (91, 3), (92, null)');
    await drain();
    expect(await waiting()).toEqual([[1], [2], [3]]);
    await dueTick();
    expect(await jobs()).toEqual([{ album_id: 1 }, { album_id: 2 }, { album_id: 3 }]);
    expect(await waiting()).toEqual([]);
  });

  test('that the filter or the columns leave out runs nothing', async () => {
    await client.query(`update d.photo set size = 10;
      update d.photo set size = 70 where album_id = 4`);
    await react(", filter => 'size > 50', columns => '{size}'");
    await client.query(`update d.photo set caption = 'x';
      update d.photo set size = 1 where album_id = 1;
      update d.photo set size = 60 where album_id = 2;
      insert into d.photo (id, album_id, size) values (90, 3, 1)`);
    await drain();
    expect(await waiting()).toEqual([[2]]);
    await client.query('update d.photo set size = 1 where album_id = 4');
    await drain();
    expect(await waiting(), 'an image that counted before').toEqual([[2], [4]]);
  });

  test('of a composite key with odd names has a payload of both', async () => {
    await client.query(
      `select millrace.react('r_look', 'd."Odd Table"', '{The Key,sub.key}', 'look')`,
    );
    await client.query(
      `update d."Odd Table" set t = 'x' where "The Key" = 1 and "sub.key" = 'x.1'`,
    );
    await drain();
    await dueTick();
    expect(await jobs()).toEqual([{ 'The Key': 1, 'sub.key': 'x.1' }]);
    expect(await waiting()).toEqual([]);
  });
});

describe('a key', () => {
  beforeEach(async () => {
    await react(", debounce => '10 s', max_wait => '60 s', min_interval => '5 min'");
    await client.query('update d.photo set size = 1 where album_id = 1');
    await drain();
  });

  test('is not due before it is quiet, and is at the latest by max_wait', async () => {
    await tick();
    expect(await jobs()).toEqual([]);
    await client.query(
      `update millrace_log.r_look__work set first_at = first_at - interval '2 min'`,
    );
    await tick();
    expect(await jobs()).toEqual([{ album_id: 1 }]);
  });

  test('has one run at a time, and another for what changed meanwhile', async () => {
    await dueTick();
    await start();
    await client.query('update d.photo set size = 2 where album_id = 1');
    await drain();
    await dueTick();
    expect(await jobs()).toEqual([{ album_id: 1 }]);
    expect(await waiting()).toEqual([[1]]);
    await complete();
    await dueTick();
    expect(await jobs()).toEqual([{ album_id: 1 }]);
    expect(await waiting()).toEqual([]);
    await complete();
    await tick();
    expect(await jobs()).toEqual([]);
    expect(await status()).toMatchObject({ running: 0, waiting: 0 });
  });

  test('does not hold up another', async () => {
    await dueTick();
    await start();
    await client.query('update d.photo set size = 2 where album_id = 2');
    await drain();
    await dueTick();
    expect(await jobs()).toEqual([{ album_id: 1 }, { album_id: 2 }]);
  });

  test('runs again no sooner than min_interval', async () => {
    await dueTick();
    await complete();
    await client.query('update d.photo set size = 3 where album_id = 1');
    await drain();
    await client.query(`update millrace_log.r_look__work
      set first_at = first_at - interval '1 d', marked_at = marked_at - interval '1 d'`);
    await tick();
    expect(await jobs()).toEqual([]);
    await client.query(`update millrace.run set queued_at = queued_at - interval '6 min'`);
    await tick();
    expect(await jobs()).toEqual([{ album_id: 1 }]);
  });

  test('that fails is seen with its attempts, until it is dead', async () => {
    await dueTick();
    await fail(3);
    await tick();
    const { rows: queue } = await client.query(
      `select key, failures, last_error, dead_at is not null as dead
       from millrace.refresh_queue where name = 'r_look'`,
    );
    expect(queue).toEqual([{ key: [1], failures: 3, last_error: 'no luck', dead: false }]);
    await fail(25);
    await tick();
    expect(await status()).toMatchObject({ dead: 1, running: 0, last_error: 'no luck' });
    expect(await jobs(), 'the dead job is gone').toEqual([]);

    await client.query('update d.photo set size = 4 where album_id in (1, 2)');
    await drain();
    await client.query(`update millrace_log.r_look__work
      set first_at = first_at - interval '10 min', marked_at = marked_at - interval '10 min'`);
    await tick();
    expect(
      (
        await client.query(
          `select payload::jsonb as payload from graphile_worker._private_jobs where attempts = 0`,
        )
      ).rows.map(({ payload }) => payload),
      'another key goes on, the dead one waits for an hour',
    ).toEqual([{ album_id: 2 }]);
    await client.query(`update millrace.run set dead_at = dead_at - interval '61 min',
      queued_at = queued_at - interval '61 min'`);
    await tick();
    expect(await status()).toMatchObject({ dead: 0, waiting: 0, running: 2 });
  });

  test('whose job is due in the future, since the clock was set back, runs now', async () => {
    await dueTick();
    const ahead = (interval: string) =>
      client.query(`update graphile_worker._private_jobs set run_at = now() + $1::interval`, [
        interval,
      ]);
    const isDue = async () =>
      (await client.query('select run_at <= now() as due from graphile_worker._private_jobs')).rows;
    await ahead('1 hour');
    await tick();
    expect(await isDue()).toEqual([{ due: true }]);
    // After three attempts graphile-worker lets it wait for twenty seconds.
    await fail(3);
    await ahead('20 seconds');
    await tick();
    expect(await isDue(), 'a wait of its own is left alone').toEqual([{ due: false }]);
  });

  test('of a host that was seen in the future is not given to another', async () => {
    await dueTick();
    await start();
    await client.query(`select millrace.heartbeat('a test');
      update millrace.host set seen_at = seen_at + interval '1 hour' where id = 'a test'`);
    await tick();
    const locked = async () =>
      (await client.query('select locked_by from graphile_worker._private_jobs')).rows;
    expect(await locked()).toEqual([{ locked_by: 'a test' }]);
    await client.query(
      `update millrace.host set seen_at = seen_at - interval '11 seconds' where id = 'a test'`,
    );
    await tick();
    expect(await locked(), 'it has fallen silent').toEqual([{ locked_by: null }]);
  });

  test('that is dead runs at once by run_now', async () => {
    await dueTick();
    await fail(25);
    await tick();
    const { rows } = await client.query("select millrace.run_now('r_look') as run");
    expect(rows[0].run).toMatchObject({ state: 'active', keys: 1 });
    expect(await status()).toMatchObject({ dead: 0, running: 1, waiting: 0 });
  });

  test('that changes while run_now is called is right in status', async () => {
    await dueTick();
    await start();
    await client.query('update d.photo set size = 5 where album_id = 1');
    await client.query("select millrace.run_now('r_look')");
    expect(await status()).toMatchObject({ running: 1, waiting: 1 });
    const { rows } = await client.query(
      "select lag < interval '1 hour' as sane from millrace.status where name = 'r_look'",
    );
    expect(rows).toEqual([{ sane: true }]);
  });

  test('is asked for again where its job was not accepted', async () => {
    // A job of the same key that is being claimed: add_job answers with null.
    await client.query('begin');
    await client.query(`create or replace function millrace.add_job(task text, payload jsonb,
        subject text, max_attempts integer default 25)
      returns bigint language sql set search_path to '' return null::bigint`);
    await dueTick();
    expect(await waiting()).toEqual([[1]]);
    await client.query('rollback');
    await dueTick();
    expect(await jobs()).toEqual([{ album_id: 1 }]);
  });

  test('waits through a pause, and runs afterwards', async () => {
    await client.query("select millrace.pause('r_look')");
    await client.query('update d.photo set size = 9 where album_id = 2');
    await drain();
    await dueTick();
    expect(await jobs()).toEqual([]);
    expect(await status()).toMatchObject({ state: 'paused' });
    await expectSqlState(client.query("select millrace.run_now('r_look')"), 'MR015');
    await client.query("select millrace.resume('r_look')");
    await dueTick();
    expect(await jobs()).toEqual([{ album_id: 1 }, { album_id: 2 }]);
  });

  test('keeps waiting when the reaction is declared anew', async () => {
    // Pending under the old rule, which counts what the new one would not.
    await client.query('update d.photo set size = 2 where album_id = 3');
    await react(", filter => 'size > 1000', debounce => '1 s'");
    expect(await waiting()).toEqual([[1], [3]]);
    await client.query('alter table d.photo add column more text');
    await react(", filter => 'size > 1000', debounce => '1 s'");
    expect(await waiting()).toEqual([[1], [3]]);
    await dueTick();
    await start();
    await react();
    await client.query('update d.photo set size = 3 where album_id = 1');
    await drain();
    await dueTick();
    expect(await jobs(), 'still one at a time').toEqual([{ album_id: 1 }, { album_id: 3 }]);
  });

  test('runs after its filter has failed and was put right', async () => {
    await react(", filter => '10 / size > 0'");
    await client.query('update d.photo set size = 0 where id = 5');
    await drain();
    expect(await status()).toMatchObject({
      state: 'failed',
      last_error: '22012: division by zero',
    });
    await react(", filter => 'size is not null'");
    await tick();
    expect(await status()).toMatchObject({ state: 'active' });
    const { rows } = await client.query(
      'select count(distinct album_id)::integer as n from d.photo where size is not null',
    );
    expect((await waiting()).length).toBe(rows[0].n);
  });
});

describe('with a worker', () => {
  let tasks: string;

  beforeAll(async () => {
    tasks = await mkdtemp(join(tmpdir(), 'millrace-reactions-'));
    await writeFile(join(tasks, 'crontab'), '');
    await writeFile(join(tasks, 'look.sql'), 'call d.look($1)');
  });
  afterAll(() => rm(tasks, { recursive: true }));

  test('every change is followed by a run that sees it, one at a time for a key', async () => {
    await client.query(`
      create table d.looked (album_id bigint, total numeric);
      create table d.busy (album_id bigint primary key);
      create procedure d.look(payload jsonb) language plpgsql as $$
      declare v_id constant bigint := (payload ->> 'album_id')::bigint;
      begin
        -- raises if another run for the key is under way
        insert into d.busy values (v_id);
        commit;
        insert into d.looked
          select v_id, coalesce(sum(size), 0) from d.photo where album_id = v_id;
        delete from d.busy where album_id = v_id;
        commit;
      end $$`);
    await react(", debounce => '0', max_wait => '0', columns => '{size}'");
    const worker = await startWorker({
      connectionString: db.connectionString,
      taskDirectory: tasks,
      pollInterval: 50,
    });
    try {
      const writer = await db.connect();
      for (let i = 0; i < 60; i += 1) {
        await writer.query('update d.photo set size = $1 where album_id = $2', [i, (i % 4) + 1]);
        await client.query('select millrace.tick()');
      }
      await until(
        async () => {
          await client.query('select millrace.tick()');
          return await status();
        },
        ({ waiting: left, running }) => left === 0 && running === 0,
        60_000,
      );
    } finally {
      await worker.stop();
    }
    const { rows } = await client.query(`
      select p.album_id, sum(p.size)::integer as total, (
        select array_agg(distinct l.total::integer) from d.looked l where l.album_id = p.album_id
      ) as seen
      from d.photo p where p.album_id between 1 and 4 group by 1`);
    expect(rows).toHaveLength(4);
    for (const { total, seen } of rows) expect(seen).toContain(total);
    const { rows: failed } = await client.query(
      "select error from millrace.run_log where kind = 'failure' and name = 'r_look'",
    );
    expect(failed).toEqual([]);
  }, 120_000);
});
