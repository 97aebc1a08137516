import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startTicker, type Ticker } from '../../scripts/lib/ticker.ts';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';
import { until } from './until.ts';

let db: TestDatabase;
let admin: pg.Client;
const tickers: Ticker[] = [];

beforeEach(async () => {
  db = await createTestDatabase();
  admin = new pg.Client({ connectionString: db.connectionString });
  await admin.connect();
});

afterEach(async () => {
  await Promise.all(tickers.splice(0).map((ticker) => ticker.stop()));
  await admin.end();
  await db.drop();
});

function tick(options: { interval?: number; pause?: number } = {}): Ticker {
  const ticker = startTicker({ connectionString: db.connectionString, interval: 20, ...options });
  tickers.push(ticker);
  return ticker;
}

const connections = async (name: string) =>
  (
    await admin.query<{ pid: number }>(
      'select pid from pg_stat_activity where application_name = $1 and datname = current_database()',
      [`millrace ${name}`],
    )
  ).rows.map(({ pid }) => pid);

/** Writes something to be counted, and returns how much of it the stored counter has. */
async function vote(): Promise<() => Promise<string>> {
  const { rows } = await db.pool.query<{ id: string }>(`
    with author as (insert into app_public.account (display_name) values ('A') returning id),
    place as (
      insert into app_public.conversation (owner_id, topic) select id, 'T' from author returning id
    )
    insert into app_public.opinion (conversation_id, author_id, content)
    select place.id, author.id, 'O' from place, author returning conversation_id as id
  `);
  return async () => {
    const { rows: found } = await db.pool.query<{ opinion_count: string }>(
      'select opinion_count from app_public.conversation where id = $1',
      [rows[0]!.id],
    );
    return found[0]!.opinion_count;
  };
}

/** Replaces millrace.tick() by one that notes each call and returns this. */
async function plantTick(result: string): Promise<() => Promise<number>> {
  await db.pool.query(`
    create table millrace.called (at timestamptz not null default clock_timestamp());
    create or replace function millrace.tick() returns jsonb language plpgsql volatile as $$
    begin
      insert into millrace.called default values;
      return (${result});
    end $$;
  `);
  return async () =>
    Number((await db.pool.query('select count(*) from millrace.called')).rows[0].count);
}

describe('the ticker', () => {
  test('drains what is written', async () => {
    tick();
    const stored = await vote();
    await until(stored, (count) => count === '1');
  });

  test('goes on after its connection is killed', async () => {
    tick();
    const [first] = await until(
      () => connections('ticker'),
      (pids) => pids.length === 1,
    );
    await admin.query('select pg_terminate_backend($1)', [first]);
    const stored = await vote();
    await until(stored, (count) => count === '1');
    expect(await connections('ticker')).not.toContain(first);
  });

  test('goes on after a tick that raised', async () => {
    const calls = await plantTick("'{}'");
    // A call that raises rolls its note back: so the failing ones are counted by a sequence.
    await db.pool.query(`
      create sequence millrace.tries;
      create or replace function millrace.tick() returns jsonb language plpgsql volatile as $$
      begin
        if nextval('millrace.tries') < 3 then perform 1 / 0; end if;
        insert into millrace.called default values;
        return '{}';
      end $$;
    `);
    tick();
    await until(calls, (count) => count > 0);
    const { rows } = await db.pool.query('select last_value from millrace.tries');
    expect(Number(rows[0].last_value)).toBeGreaterThanOrEqual(3);
  });

  test('of two hosts, the other goes on when one stops', async () => {
    const first = tick();
    tick();
    await until(
      () => connections('ticker'),
      (pids) => pids.length === 2,
    );
    await first.stop();
    const stored = await vote();
    await until(stored, (count) => count === '1');
    expect(await connections('ticker')).toHaveLength(1);
  });

  test('ticks again at once while there is more', async () => {
    const calls = await plantTick(
      `jsonb_build_object('more', (select count(*) from millrace.called) < 50)`,
    );
    // With an hour between two ticks, all fifty come from "more".
    tick({ interval: 3_600_000, pause: 1 });
    await until(calls, (count) => count >= 50);
    expect(await calls()).toBe(50);
  });

  test('ticks no faster because others write what nobody reads', async () => {
    // A transaction has ended since this one: that is noticed, but not at once, again and again.
    const begun = performance.now();
    const { rows } = await db.pool.query("select millrace.await_change('3') as noticed");
    expect(rows).toEqual([{ noticed: true }]);
    expect(performance.now() - begun).toBeGreaterThan(190);
  });

  test('gives back what a burst of writes has left of a log, without being asked', async () => {
    const size = async () =>
      Number(
        (
          await admin.query<{ size: string }>(
            "select pg_relation_size('millrace_log.app_public__opinion') as size",
          )
        ).rows[0]!.size,
      );
    await db.pool.query(`
      with author as (insert into app_public.account (display_name) values ('A') returning id),
      place as (
        insert into app_public.conversation (owner_id, topic) select id, 'T' from author
        returning id, owner_id
      )
      insert into app_public.opinion (conversation_id, author_id, content)
      select place.id, place.owner_id, 'O ' || i from place, generate_series(1, 150000) i`);
    expect(await size()).toBeGreaterThan(8 * 1024 * 1024);
    // No look at a log that still has rows; the next one follows after half a minute.
    await db.pool.query('select millrace.drain(1000000)');
    await db.pool.query('update millrace.source set drained_rows = 0');
    tick();
    // Asking locks the log, and the vacuum gives way to everybody.
    await until(
      () => sleep(200).then(size),
      (bytes) => bytes < 1024 * 1024,
    );
  });

  test('vacuums what the tick asks for, on another connection, and no other text', async () => {
    await db.pool.query('create table millrace_log."odd ""name"()');
    await plantTick(
      `'{"vacuum": ["millrace_log.\\"odd \\"\\"name\\"", "millrace.source; drop table millrace.called"]}'`,
    );
    tick();
    await until(
      async () =>
        (
          await admin.query(
            `select vacuum_count from pg_stat_user_tables where relname = 'odd "name'`,
          )
        ).rows[0]?.vacuum_count,
      (count) => Number(count) > 0,
    );
    const { rows } = await db.pool.query(
      "select to_regclass('millrace.called') is not null as there",
    );
    expect(rows[0].there).toBe(true);
  });

  test('stops with its connections closed, in the middle of a tick too', async () => {
    await plantTick("case when pg_sleep(0.3) is null then '{}' else '{}' end::jsonb");
    const ticker = tick();
    await until(
      () => connections('ticker'),
      (pids) => pids.length === 1,
    );
    await ticker.stop();
    expect(await connections('ticker')).toEqual([]);
  });
});
