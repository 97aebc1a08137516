import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  backendPid,
  createTestDatabase,
  expectSqlState,
  type TestDatabase,
  waitUntilBlocked,
} from '../lib/database.ts';
import { CLEAN, checkRows, declare, GALLERY, makeDue, type Relation } from './lib/relations.ts';

/*
 * Materialized views that the engine refreshes: when they are touched, when they run, what follows
 * them, and what a refresh that fails or queues leaves.
 */

const TOTALS: Relation = {
  target: 'd.totals',
  select: `select a.owner_id, count(f.id) as photos, sum(f.size) as size
    from d.titled a left join d.photo f on f.album_id = a.id
    where a.owner_id is not null group by a.owner_id`,
  key: ['owner_id'],
  sources: {},
};
const GRAND: Relation = {
  target: 'd.grand',
  select: 'select 1 as one, sum(photos) as photos from d.totals',
  key: ['one'],
  sources: {},
};

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
  await client.query('delete from graphile_worker._private_jobs');
  await client.query(
    'create view d.titled as select id, owner_id from d.album where title is not null',
  );
  await declare(client, TOTALS, '', 'refresh');
});

async function one<T = unknown>(sql: string): Promise<T> {
  const { rows } = await client.query({ text: sql, rowMode: 'array' });
  return rows[0]?.[0] as T;
}

const touched = async (name = 'd.totals') => {
  await client.query('select millrace.drain()');
  return await one<number>(
    `select waiting_keys::integer from millrace.status where name = '${name}'`,
  );
};
const refresh = (name: string, by: pg.ClientBase = client) =>
  by.query('call millrace.recompute(jsonb_build_object($$name$$, $1::text))', [name]);
const jobs = async () =>
  (
    await client.query(
      `select task_identifier as task, payload ->> 'name' as name
       from graphile_worker.jobs j join graphile_worker._private_jobs p using (id)
       where payload ->> 'name' like 'd.%' order by id`,
    )
  ).rows;

describe('a refreshed relation', () => {
  test('is a materialized view with a unique index on its key, and has no live view', async () => {
    expect(await one("select relkind from pg_class where oid = 'd.totals'::regclass")).toBe('m');
    expect(
      await one(`select pg_get_indexdef(indexrelid) from pg_index
        where indrelid = 'd.totals'::regclass and indisunique`),
    ).toMatch(/ON d\.totals USING btree \(owner_id\)$/);
    expect(await one("select to_regclass('d.totals_live')")).toBeNull();
    await checkRows(client, TOTALS);
  });

  test('finds what it reads through nested views', async () => {
    const { rows } = await client.query(
      `select m.source::text, m.compared::text, m.query from millrace.mapping m
       join millrace.derivation d on d.id = m.derivation
       where d.name = 'd.totals' order by 1`,
    );
    expect(rows).toEqual([
      { source: 'd.album', compared: '{id,owner_id,title}', query: null },
      { source: 'd.photo', compared: '{album_id,id,size}', query: null },
    ]);
  });

  test.each([
    ['a column that it reads', 'update d.photo set size = size + 1 where id = 1', 1],
    ['a column of the nested view', "update d.album set title = 'x' where id = 1", 1],
    ['a column that it does not read', "update d.photo set caption = 'x', raw = '[]'", 0],
    ['another column of the other table', 'update d.album set made = made + 1', 0],
    ['the same value', 'update d.photo set size = size', 0],
    ['no row', 'update d.photo set size = 0 where false', 0],
    ['a row that comes', 'insert into d.photo (id) values (99)', 1],
    ['a row that goes', 'delete from d.photo where id = 1', 1],
    ['a truncate', 'truncate d.photo', 1],
    ['a table that it does not read', "update d.person set name = 'x'", 0],
  ])('is touched by a change of %s', async (_, statement, expected) => {
    await client.query(statement);
    expect(await touched()).toBe(expected);
    await client.query("select millrace.run_now('d.totals')");
    await checkRows(client, TOTALS);
    expect(await touched()).toBe(0);
  });

  test('takes one log row for a statement, however many rows it changes', async () => {
    await client.query('update d.photo set size = size + 1');
    expect(await one('select count(*)::integer from millrace_log.d__photo')).toBe(1);
  });
});

describe('a refresh', () => {
  test('is due when it was quiet for debounce, and by max_wait at the latest', async () => {
    const due = (first: string, last: string) =>
      one<boolean>(
        `select millrace.is_due(clock_timestamp() - '${first}'::interval,
           clock_timestamp() - '${last}'::interval, '10 s', '60 s')`,
      );
    expect(await due('5 s', '5 s')).toBe(false);
    expect(await due('30 s', '20 s')).toBe(true);
    expect(await due('30 s', '1 s'), 'changed again and again').toBe(false);
    expect(await due('61 s', '0 s'), 'but not for ever').toBe(true);
  });

  test('runs as one job, after which nothing waits', async () => {
    await client.query('delete from d.photo where id < 9');
    await touched();
    await client.query('select millrace.tick()');
    expect(await jobs(), 'not before it is due').toEqual([]);
    await makeDue(client, 'd.totals');
    await client.query('select millrace.tick(); select millrace.tick()');
    expect(await jobs()).toEqual([{ task: 'refresh', name: 'd.totals' }]);
    await refresh('d.totals');
    await client.query('delete from graphile_worker._private_jobs');
    await client.query('update millrace.run set look_at = null; select millrace.tick()');
    expect(await jobs()).toEqual([]);
    expect(await touched()).toBe(0);
    await checkRows(client, TOTALS);
  });

  test('touched while it ran is followed by another', async () => {
    await client.query('delete from d.photo where id = 1');
    await touched();
    await makeDue(client, 'd.totals');
    await client.query('select millrace.tick()');
    await refresh('d.totals');
    await client.query('delete from d.photo where id = 2');
    expect(await touched(), 'the first job has not been reported yet').toBe(1);
    await makeDue(client, 'd.totals');
    await client.query('delete from graphile_worker._private_jobs; select millrace.tick()');
    expect(await jobs()).toEqual([{ task: 'refresh', name: 'd.totals' }]);
  });

  test('takes no larger share of the time than max_duty', async () => {
    await declare(client, TOTALS, ', max_duty => 0.2', 'refresh');
    await client.query('delete from d.photo where id = 1');
    await touched();
    await makeDue(client, 'd.totals');
    const due = async (ran: string, ago: string) => {
      await client.query(`update millrace.progress p
        set started_at = clock_timestamp() - '${ago}'::interval - '${ran}'::interval,
          finished_at = clock_timestamp() - '${ago}'::interval
        from millrace.derivation d where d.id = p.derivation and d.name = 'd.totals'`);
      return await one<boolean>(`select w.due_at <= clock_timestamp()
        from millrace.derivation d, millrace.waiting(d.id) w where d.name = 'd.totals'`);
    };
    // A fifth of the time: after a run of ten minutes it rests for forty.
    expect(await due('10 min', '39 min')).toBe(false);
    expect(await due('10 min', '41 min')).toBe(true);
    await due('10 min', '0');
    await client.query('update millrace.run set look_at = null; select millrace.tick()');
    expect(await jobs()).toEqual([]);
  });

  test('is followed by what reads it', async () => {
    await declare(client, GRAND, '', 'refresh');
    await client.query("select millrace.run_now('d.grand')");
    await checkRows(client, GRAND);
    await client.query('delete from d.photo where id < 20');
    await client.query("select millrace.run_now('d.totals')");
    expect(await touched('d.grand')).toBe(1);
    await client.query("select millrace.run_now('d.grand')");
    await checkRows(client, GRAND);
    await expectSqlState(client.query("select millrace.drop('d.totals')"), 'MR031');
  });

  test('that fails keeps the old rows, says why, and tries again later', async () => {
    await client.query(`create or replace view d.titled as
      select id, owner_id, 100 / (id - 3) as risky from d.album where title is not null and id <> 3`);
    await declare(
      client,
      { ...TOTALS, select: TOTALS.select.replace('sum(f.size) as size', 'sum(a.risky) as size') },
      '',
      'refresh',
    );
    const before = await one('select count(*)::integer from d.totals');
    await client.query('update d.album set id = id where false');
    await client.query(`create or replace view d.titled as
      select id, owner_id, 100 / (id - 3) as risky from d.album where title is not null`);
    await client.query('delete from d.photo where id = 1');
    await touched();
    await refresh('d.totals');
    const state = `select state, failures, last_error, retry_at > last_error_at as later
      from millrace.derivation where name = 'd.totals'`;
    expect((await client.query(state)).rows).toEqual([
      { state: 'failed', failures: 1, last_error: '22012: division by zero', later: true },
    ]);
    expect(await one('select count(*)::integer from d.totals')).toBe(before);
    await client.query(`update millrace.derivation set retry_at = clock_timestamp()
      where name = 'd.totals'; select millrace.tick()`);
    await refresh('d.totals');
    expect((await client.query(state)).rows).toMatchObject([{ state: 'failed', failures: 2 }]);
    await client.query('delete from d.photo where album_id = 3; delete from d.album where id = 3');
    await client.query("select millrace.run_now('d.totals')");
    expect((await client.query(state)).rows).toMatchObject([
      { state: 'active', failures: 0, last_error: null },
    ]);
    await checkRows(client, TOTALS);
  });

  test('is one at a time, and shows what was committed before it', async () => {
    const holder = await db.connect();
    const queued = await db.connect();
    await client.query('delete from d.photo where id = 1');
    await touched();
    await holder.query('begin');
    await holder.query(`select millrace.lock_relation(id) from millrace.derivation
      where name = 'd.totals'`);
    await refresh('d.totals');
    expect(await touched(), 'another is at work: this one leaves the touch').toBe(1);
    const pid = await backendPid(queued);
    const running = queued.query("select millrace.run_now('d.totals')");
    await waitUntilBlocked(client, pid);
    await client.query('delete from d.photo where id = 2');
    await holder.query('commit');
    await running;
    await checkRows(client, TOTALS);
  });

  test('does not keep readers out', async () => {
    const reader = await db.connect();
    await reader.query('begin');
    await reader.query('select from d.totals');
    await client.query('delete from d.photo where id = 1');
    await client.query("set lock_timeout to '1s'");
    await client.query("select millrace.run_now('d.totals')");
    await client.query('reset lock_timeout');
    await reader.query('commit');
    await checkRows(client, TOTALS);
  });

  test('in a transaction with an older snapshot than another is refused', async () => {
    const old = await db.connect();
    await old.query('begin isolation level repeatable read');
    await old.query('select from d.photo');
    await client.query('delete from d.photo where id = 1');
    await client.query("select millrace.run_now('d.totals')");
    await expectSqlState(
      old.query(`select millrace.recompute_batch(id) from millrace.derivation
        where name = 'd.totals'`),
      '40001',
    );
    await old.query('rollback');
    await checkRows(client, TOTALS);
  });
});
