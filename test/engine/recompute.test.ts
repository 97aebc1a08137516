import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';

/*
 * The statement that recomputes keys is prepared once for a session: it must be another one as soon
 * as anything is different of what it is made from. A host's session goes on through declarations,
 * so everything here happens in one.
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

const SOURCES = '{"d.album": "id", "d.photo": "album_id"}';
const TEXT_SOURCES = `{"d.album": "select id::text from changed",
  "d.photo": "select album_id::text from changed"}`;

beforeEach(async () => {
  await client.query(`
    rollback;
    deallocate all;
    set client_min_messages to warning;
    select millrace.drop(d.name) from millrace.derivation d where d.name like 'd.%';
    drop schema if exists d cascade;
    create schema d;
    create table d.album (id bigint primary key, title text);
    create table d.photo (id bigint primary key, album_id bigint, size integer);
    create index on d.photo (album_id);
    insert into d.album select i, 't' || i from generate_series(1, 5) i;
    insert into d.photo select i, i % 5 + 1, i from generate_series(1, 20) i;
    create view d.card_definition as
      select a.id as album_id, a.title, count(f.id) as photos
      from d.album a left join d.photo f on f.album_id = a.id group by a.id;`);
  await declare();
});

async function declare(sources = SOURCES, debounce = '0'): Promise<void> {
  await client.query(
    `select millrace.materialize('d.card', 'd.card_definition', '{album_id}',
       sources => $1, debounce => $2, max_wait => '2 hours')`,
    [sources, debounce],
  );
}

/** Drains, recomputes, and compares with the definition. */
async function settle(): Promise<void> {
  await client.query('select millrace.drain()');
  await client.query(`call millrace.recompute('{"name": "d.card"}')`);
  const { rows } = await client.query(
    `(table d.card except all table d.card_definition)
     union all (table d.card_definition except all table d.card)`,
  );
  expect(rows).toEqual([]);
}

async function prepared(): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select s.name from pg_prepared_statements s
     where s.name like 'millrace\\_recompute\\_%' order by s.prepare_time`,
  );
  return rows.map(({ name }) => name);
}

const CHANGE = 'update d.photo set album_id = album_id % 5 + 1 where id % 3 = 0';

describe('a session that recomputes', () => {
  test('plans once, whatever changes in the tables', async () => {
    await client.query(CHANGE);
    await settle();
    expect(await prepared()).toHaveLength(1);
    await client.query('insert into d.photo values (21, 1, 1), (22, 9, 1)');
    await settle();
    await client.query('analyze d.photo; delete from d.album where id = 2');
    await settle();
    expect(await prepared()).toHaveLength(1);
  });

  test.each([
    [
      'another column',
      `create or replace view d.card_definition as
       select a.id as album_id, a.title, count(f.id) as photos, sum(f.size) as size
       from d.album a left join d.photo f on f.album_id = a.id group by a.id`,
      SOURCES,
    ],
    [
      'another type of a column',
      `drop view d.card_definition; create view d.card_definition as
       select a.id as album_id, a.title, count(f.id)::numeric(9, 1) as photos
       from d.album a left join d.photo f on f.album_id = a.id group by a.id`,
      SOURCES,
    ],
    [
      'another type of the key',
      `drop view d.card_definition; create view d.card_definition as
       select a.id::text as album_id, a.title, count(f.id) as photos
       from d.album a left join d.photo f on f.album_id = a.id group by a.id`,
      TEXT_SOURCES,
    ],
  ])('goes on after %s', async (_, change, sources) => {
    await client.query(CHANGE);
    await settle();
    await client.query(change);
    await declare(sources);
    await settle();
    await client.query(CHANGE);
    await settle();
    // So many keys that the next batch begins behind the last key of one.
    await client.query("insert into d.album select i, 'more' from generate_series(6, 1500) i");
    await settle();
    expect(await prepared()).toEqual([
      expect.stringContaining('_first_'),
      expect.stringContaining('_first_'),
      expect.stringContaining('_next_'),
    ]);
  });

  test('waits as long as the newest declaration says', async () => {
    await client.query(CHANGE);
    await settle();
    await declare(SOURCES, '1 hour');
    await client.query(CHANGE);
    await client.query('select millrace.drain()');
    await client.query(`call millrace.recompute('{"name": "d.card"}')`);
    const waiting = async () =>
      (await client.query('select count(*)::integer as n from millrace_log.d__card__work')).rows;
    expect((await waiting())[0].n).toBeGreaterThan(0);
    await declare();
    await settle();
    expect(await waiting()).toEqual([{ n: 0 }]);
  });

  test('runs what a new version of the engine makes', async () => {
    await client.query(CHANGE);
    await settle();
    const { rows } = await client.query<{ text: string }>(
      "select pg_get_functiondef('millrace.fresh_sql'::regproc) as text",
    );
    await client.query('begin');
    await client.query(rows[0]!.text);
    await client.query(CHANGE);
    await client.query('select millrace.drain()');
    await client.query(
      `select millrace.recompute_batch(d.id) from millrace.derivation d where d.name = 'd.card'`,
    );
    expect(await prepared()).toHaveLength(2);
    await client.query('rollback');
  });

  test('and whose transaction is rolled back', async () => {
    await client.query(CHANGE);
    await client.query('select millrace.drain()');
    await client.query('begin');
    await client.query(
      `select millrace.recompute_batch(d.id) from millrace.derivation d where d.name = 'd.card'`,
    );
    await client.query('rollback');
    await settle();
    expect(await prepared()).toHaveLength(1);
  });
});
