import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';
import { explain, nodesOf } from '../lib/plan.ts';
import { CLEAN } from './lib/relations.ts';

/*
 * Plans by shape: what a derived relation costs follows the keys that changed, not its size,
 * whatever the planner was told about the tables.
 */

const ALBUMS = 4_000;
const PHOTOS = 40_000;
const BIG = ['d.album', 'd.photo', 'd.card'];

let db: TestDatabase;
let client: pg.Client;

beforeAll(async () => {
  db = await createTestDatabase();
  client = await db.connect();
  await client.query(CLEAN);
  // Statistics are there when the test says so; scans by parallel workers would not be this session's.
  await client.query('set max_parallel_workers_per_gather = 0');
  await client.query(`
    create schema d;
    create table d.person (id bigint primary key, name text);
    create table d.album (id bigint primary key, owner_id bigint, title text)
      with (autovacuum_enabled = off);
    create table d.photo (id bigint primary key, album_id bigint, size integer)
      with (autovacuum_enabled = off);
    create index on d.album (owner_id);
    create index on d.photo (album_id);
    insert into d.person select i, 'p' || i from generate_series(1, 400) i;
    insert into d.album select i, i % 400 + 1, 't' || i from generate_series(1, ${ALBUMS}) i;
    insert into d.photo select i, i % ${ALBUMS} + 1, i from generate_series(1, ${PHOTOS}) i;
    create view d.card_definition as
      select a.id as album_id, a.title, p.name, count(f.id) as photos, sum(f.size) as size
      from d.album a
      left join d.person p on p.id = a.owner_id
      left join d.photo f on f.album_id = a.id
      group by a.id, p.name;
    select millrace.materialize('d.card', 'd.card_definition', '{album_id}', sources => '{
      "d.album": "id", "d.photo": "album_id",
      "d.person": "select a.id from d.album a join changed c on c.id = a.owner_id"}');
    alter table d.card set (autovacuum_enabled = off)`);
  await client.query("select millrace.run_now('d.card')");
}, 120_000);

afterAll(async () => {
  await db.drop();
});

/** Runs a statement and returns which of the big tables it read from end to end. */
async function scansOf(statement: string): Promise<string[]> {
  const counts = async () => {
    const { rows } = await client.query<{ counts: string[] }>(
      `select array(select pg_stat_get_xact_numscans(r.relation::regclass)::text
         from unnest($1::text[]) with ordinality r(relation, i) order by i) as counts`,
      [BIG],
    );
    return rows[0]!.counts;
  };
  await client.query('begin');
  const before = await counts();
  await client.query(statement);
  const after = await counts();
  await client.query('commit');
  return BIG.filter((_, i) => before[i] !== after[i]);
}

/** Tables that the plan would read from end to end, parts that never run left out. */
async function scansIn(statement: string): Promise<string[]> {
  return nodesOf(await explain(client, statement))
    .filter((node) => node['Node Type'] === 'Seq Scan' && node['Actual Loops'] !== 0)
    .map((node) => `d.${node['Relation Name']}`)
    .filter((name) => BIG.includes(name));
}

const STATES: [what: string, prepare: string][] = [
  ['nothing analyzed', 'select'],
  ['tables analyzed, logs and marks not', 'analyze d.album; analyze d.photo; analyze d.card'],
  [
    'everything analyzed while it is empty',
    'analyze millrace_log.d__photo; analyze millrace_log.d__album; analyze millrace_log.d__person; analyze millrace_log.d__card__work',
  ],
];

describe.each(STATES)('with %s', (_, prepare) => {
  beforeAll(async () => {
    await client.query(prepare);
  });

  const READ = 'select * from d.card_live where album_id = 17';

  test('a live read by key goes by index while nothing waits', async () => {
    expect(await scansIn(READ)).toEqual([]);
    expect(await scansOf(READ)).toEqual([]);
  });

  test.each([
    ['photo', 'update d.photo set size = size + 1 where album_id between 10 and 60'],
    ['album', "update d.album set title = title || '!' where id between 10 and 60"],
    ['person', "update d.person set name = name || '!' where id between 10 and 30"],
  ])('changes of a %s are mapped, read live and recomputed by index', async (_table, change) => {
    await client.query(change);
    expect(await scansOf(READ), 'live, pending').toEqual([]);
    expect(await scansOf('select millrace.drain()'), 'the mapping').toEqual([]);
    expect(await scansOf(READ), 'live, marked').toEqual([]);
    expect(
      await scansOf(`select millrace.recompute_batch(id, everything => true)
        from millrace.derivation where name = 'd.card'`),
      'the recompute',
    ).toEqual([]);
    const { rows } = await client.query(
      "select waiting_keys::integer as waiting, failed_keys::integer as failed from millrace.status where name = 'd.card'",
    );
    expect(rows).toEqual([{ waiting: 0, failed: 0 }]);
  });

  test('a live read by key goes by index while thousands of rows are pending', async () => {
    await client.query('update d.photo set size = size + 1 where id <= 10000');
    expect(await scansOf(READ)).toEqual([]);
    await client.query('select millrace.drain()');
    expect(await scansOf(READ)).toEqual([]);
    await client.query("select millrace.run_now('d.card')");
  });
});

describe('a recompute of many batches in one transaction', () => {
  /** How many entries of the index of marks a statement in a batch of its own reads, in all. */
  const entriesRead = async (batch: string): Promise<number> => {
    await client.query('begin');
    await client.query(`update d.photo set size = size + 1`);
    await client.query('select millrace.drain()');
    const read = async () => {
      const { rows } = await client.query<{ read: number }>(`
        select pg_stat_get_xact_tuples_returned(indexrelid)::integer as read
        from pg_index where indrelid = 'millrace_log.d__card__work'::regclass`);
      return rows[0]!.read;
    };
    const before = await read();
    await client.query(`do $do$
      declare
        v_after text[];
        v_batch jsonb;
      begin
        loop
          ${batch}
          exit when not (v_batch ->> 'more')::boolean;
          v_after := array(select jsonb_array_elements_text(v_batch -> 'after'));
        end loop;
      end $do$`);
    const after = await read();
    await client.query('rollback');
    return after - before;
  };

  test('begins each batch where the last one ended', async () => {
    const read = await entriesRead(`
      select millrace.recompute_batch(id, v_after, 100, everything => true) into v_batch
      from millrace.derivation where name = 'd.card';`);
    expect(read).toBeGreaterThanOrEqual(ALBUMS);
    expect(read).toBeLessThan(ALBUMS * 3);
  });

  test('would be seen to go through what is taken', async () => {
    const read = await entriesRead(`
      select millrace.recompute_batch(id, null, 100, everything => true) into v_batch
      from millrace.derivation where name = 'd.card';`);
    expect(read).toBeGreaterThan(ALBUMS * 10);
  });
});

describe('the checks', () => {
  test('see a scan', async () => {
    expect(await scansIn('select count(*) from d.photo where size + 0 = 1')).toEqual(['d.photo']);
    expect(await scansOf('select count(*) from d.card where size + 0 = 1')).toEqual(['d.card']);
  });
});
