import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';
import { checkExact, checkStored, drainAll, type Expectation } from './lib/history.ts';

/*
 * What a drain does when not all is well: rows that somebody holds, counters that fail, tables too
 * large to count at once, snapshots and sessions that are older.
 */

let db: TestDatabase;
let client: pg.Client;
let other: pg.Client;

beforeAll(async () => {
  db = await createTestDatabase();
  client = await db.connect();
  other = await db.connect();
});

afterAll(async () => {
  await db.drop();
});

beforeEach(async () => {
  await other.query('rollback');
  await client.query(`
    rollback;
    set client_min_messages to warning;
    select millrace.drop(d.name) from millrace.derivation d where d.name like 'd.%';
    drop schema if exists d cascade;
    create schema d;
    create table d.album (id bigint primary key, label text, photos bigint not null default 0,
      people bigint not null default 0, small integer not null default 0,
      risky bigint not null default 0);
    create table d.photo (id bigint primary key, album_id bigint references d.album (id)
      on delete cascade, person bigint, size integer not null default 1, divisor integer);
    create index on d.photo (album_id);
    insert into d.album (id) values (1), (2), (3);
  `);
});

function expected(column: string, value: string, condition = 'true'): Expectation {
  return {
    name: `d.album.${column}`,
    target: 'd.album',
    column,
    exact: `d.album_${column}`,
    truth: `select ${value} from d.photo p where p.album_id = t.id and ${condition}`,
  };
}

const PHOTOS = expected('photos', 'count(*)');
const PEOPLE = expected('people', 'count(distinct p.person)');
const RISKY = expected('risky', 'count(*)', '100 / p.divisor > 5');
const SMALL = expected('small', 'coalesce(sum(p.size), 0)');

async function declare(...columns: ('photos' | 'people' | 'risky' | 'small')[]): Promise<void> {
  const rest = {
    photos: '',
    people: ", distinct_on => '{person}'",
    risky: ", filter => '100 / divisor > 5'",
    small: ", value => 'size'",
  };
  for (const column of columns) {
    await client.query(
      `select millrace.counter('d.album.${column}', 'd.photo', '{album_id}'${rest[column]})`,
    );
  }
}

async function drain(slice = 20_000): Promise<{ rows: number; keys: number; more: boolean }> {
  const { rows } = await client.query('select millrace.drain($1) as drain', [slice]);
  return rows[0].drain;
}

async function stateOf(name: string) {
  const { rows } = await client.query(
    `select state, failures, last_error, retry_at is not null as retries
     from millrace.status where name = $1`,
    [name],
  );
  return rows[0];
}

describe('a target row that somebody holds locked', () => {
  const lock = async (sql: string) => {
    await other.query('begin');
    await other.query(sql);
  };

  test.each([
    ['for update', 'select from d.album where id = 1 for update'],
    ['for no key update', 'select from d.album where id = 1 for no key update'],
    ['by an update', "update d.album set label = 'x' where id = 1"],
  ])('%s does not hold up the drain, and reads stay exact', async (_, statement) => {
    await declare('photos', 'people');
    // Before the lock: the foreign key's own check waits for a row that is locked for update.
    await client.query(
      'insert into d.photo (id, album_id, person) values (1, 1, 7), (2, 1, 7), (3, 2, 8)',
    );
    await lock(statement);
    // It would wait for ever: nobody ends the other transaction.
    await client.query("set lock_timeout to '1ms'");
    expect((await drain()).rows).toBe(3);
    await client.query('reset lock_timeout');
    const { rows } = await client.query('select id, photos, people from d.album order by id');
    expect(rows).toMatchObject([
      { id: '1', photos: '0', people: '0' },
      { id: '2', photos: '1', people: '1' },
      { id: '3', photos: '0', people: '0' },
    ]);
    await checkExact(client, { expectations: [PHOTOS, PEOPLE] });

    // More comes for the same row while its first delta is carried; one row is taken back.
    await client.query('update d.photo set person = 9 where id = 2');
    await drain();
    await client.query('delete from d.photo where id = 1');
    await checkExact(client, { expectations: [PHOTOS, PEOPLE] });
    await drain();
    await checkExact(client, { expectations: [PHOTOS, PEOPLE] });
    expect(await reconciled()).toEqual([]);

    await other.query('commit');
    await drainAll(client);
    await checkStored(client, { expectations: [PHOTOS, PEOPLE] });
    await checkExact(client, { expectations: [PHOTOS, PEOPLE] });
    expect(await carried()).toBe(0);
  });

  test('and then deletes it leaves nothing behind', async () => {
    await declare('photos', 'people');
    await client.query('insert into d.photo (id, album_id, person) values (1, 1, 7), (2, 3, 8)');
    await lock('delete from d.album where id = 1');
    await drain();
    await checkExact(client, { expectations: [PHOTOS, PEOPLE] });
    await other.query('commit');
    await drainAll(client);
    await checkStored(client, { expectations: [PHOTOS, PEOPLE] });
    expect(await carried()).toBe(0);
    const { rows } = await client.query(
      'select count(*)::integer as n from millrace_log.d__album__people__members where id = 1',
    );
    expect(rows).toEqual([{ n: 0 }]);
  });

  test('by a foreign key check is no lock to wait for or to skip', async () => {
    await declare('photos');
    await client.query('insert into d.photo (id, album_id) values (1, 1)');
    await lock('insert into d.photo (id, album_id) values (2, 1)');
    await drain();
    const { rows } = await client.query('select photos from d.album where id = 1');
    expect(rows).toEqual([{ photos: '1' }]);
    await other.query('commit');
    await drainAll(client);
    await checkStored(client, { expectations: [PHOTOS] });
  });

  async function carried(): Promise<number> {
    const { rows } = await client.query(
      'select count(*)::integer as n from millrace_log.d__album__carry',
    );
    return rows[0].n;
  }
});

async function reconciled(): Promise<unknown[]> {
  const { rows } = await client.query(
    "select name, examples from millrace.reconcile(null, true) where name like 'd.%' and keys_drifted > 0",
  );
  return rows;
}

describe('a drain', () => {
  test('while somebody else drains returns at once', async () => {
    await declare('photos');
    await client.query('insert into d.photo (id, album_id) values (1, 1)');
    await other.query('begin');
    await other.query('select millrace.drain()');
    expect(await drain()).toMatchObject({ busy: true, rows: 0, more: false });
    await other.query('rollback');
    // What the other one took came back with its rollback.
    expect(await drain()).toMatchObject({ rows: 1, keys: 1 });
    await checkStored(client, { expectations: [PHOTOS] });
  });

  test('takes what an open transaction wrote only after its commit', async () => {
    await declare('photos');
    await other.query('begin');
    await other.query('insert into d.photo (id, album_id) values (1, 1)');
    await client.query('insert into d.photo (id, album_id) values (2, 1)');
    expect((await drain()).rows).toBe(1);
    await other.query('commit');
    expect((await drain()).rows).toBe(1);
    await checkStored(client, { expectations: [PHOTOS] });
  });

  test('never changes what an older snapshot reads', async () => {
    await declare('photos', 'people');
    await client.query('insert into d.photo (id, album_id, person) values (1, 1, 1), (2, 1, 1)');
    await other.query('begin isolation level repeatable read');
    await checkExact(other, { expectations: [PHOTOS, PEOPLE] });
    await client.query('insert into d.photo (id, album_id, person) values (3, 1, 2)');
    await drainAll(client);
    await client.query('delete from d.photo where id = 1');
    await drainAll(client);
    await client.query('select millrace.reconcile(null, true)');
    await checkExact(other, { expectations: [PHOTOS, PEOPLE] });
    await client.query("select millrace.pause('d.album.photos')");
    await client.query('insert into d.photo (id, album_id, person) values (4, 1, 2)');
    await checkExact(other, { expectations: [PHOTOS, PEOPLE] });
    await client.query("select millrace.resume('d.album.photos')");
    await client.query('insert into d.photo (id, album_id, person) values (5, 1, 3)');
    await drainAll(client);
    await checkExact(other, { expectations: [PHOTOS, PEOPLE] });
    await other.query('rollback');
    await checkExact(other, { expectations: [PHOTOS, PEOPLE] });
  });

  test('with nothing to do writes nothing', async () => {
    await declare('photos');
    await drainAll(client);
    const { rows } = await client.query(
      `select pg_current_xact_id_if_assigned() is null as nothing from millrace.drain()`,
    );
    expect(rows).toEqual([{ nothing: true }]);
  });

  test('of other logs for the same derivations runs the same function', async () => {
    await client.query(`
      create table d.show (id bigint primary key, photos bigint not null default 0);
      create table d.wall (id bigint primary key, show_id bigint references d.show,
        album_id bigint references d.album);
      create index on d.wall (show_id);
      create index on d.wall (album_id);
      insert into d.show values (1);
      insert into d.wall values (1, 1, 1);
      create table d.frame (id bigint primary key, wall_id bigint references d.wall);
      create index on d.frame (wall_id);
      select millrace.counter('d.show.photos', 'd.frame', '{show_id}', through => 'd.wall');
    `);
    await drainAll(client);
    const functions = async () => {
      const { rows } = await client.query(
        `select p.oid::text from pg_proc p
         where p.pronamespace = 'millrace_log'::regnamespace and p.proname like 'drain\\_%'
         order by p.oid`,
      );
      return rows.map(({ oid }) => oid);
    };
    const FRAME = `insert into d.frame select coalesce(max(id), 0) + 1, 1 from d.frame`;
    const WALL = `update d.wall set show_id = case when show_id is null then 1 end`;
    await client.query('select millrace.forget_plans()');
    await client.query(FRAME);
    await drainAll(client);
    const first = await functions();
    expect(first).toHaveLength(1);
    await client.query(WALL);
    await drainAll(client);
    await client.query(FRAME);
    await client.query(WALL);
    await drainAll(client);
    expect(await functions()).toEqual(first);
    // So many sets of logs that they are forgotten: the function, and its plan, stay.
    await client.query(`
      insert into millrace.drain_plan (pending, names, unread)
        select array[i]::oid[]::regclass[], '{}', '{}' from generate_series(1, 200) i`);
    await client.query(`delete from millrace.drain_plan p
      where p.pending = array['millrace_log.d__frame'::regclass]`);
    await client.query(FRAME);
    await drainAll(client);
    const { rows } = await client.query('select count(*)::integer as n from millrace.drain_plan');
    expect(rows[0].n).toBeLessThan(200);
    expect(await functions()).toEqual(first);
    expect((await client.query('select photos from d.show')).rows).toEqual([{ photos: '3' }]);
    // A declaration makes all of them anew.
    await declare('photos');
    expect(await functions()).toEqual([]);
  });

  test('tick says which logs to vacuum, and that more is waiting', async () => {
    await declare('photos');
    await client.query(
      'insert into d.photo (id, album_id) select i, i % 3 + 1 from generate_series(1, 21000) i',
    );
    const { rows: first } = await client.query('select millrace.tick() as tick');
    expect(first[0].tick).toMatchObject({
      rows: 20_000,
      more: true,
      vacuum: ['millrace_log.d__photo'],
    });
    const { rows: second } = await client.query('select millrace.tick() as tick');
    expect(second[0].tick).toMatchObject({ rows: 1_000, vacuum: [] });
    await drainAll(client);
    await checkStored(client, { expectations: [PHOTOS] });
  });
});

describe('a counter that fails', () => {
  const FAULTS: [string, 'risky' | 'small', string, string, string, RegExp][] = [
    [
      'divides by zero',
      'risky',
      'insert into d.photo (id, album_id, divisor) values (90, 1, 0)',
      'update d.photo set divisor = 4 where id = 90',
      '22012',
      /division by zero/,
    ],
    [
      'overflows its column',
      'small',
      'insert into d.photo (id, album_id, size) values (90, 1, 2147483647), (91, 1, 1)',
      'delete from d.photo where id >= 90',
      '22003',
      /out of range/,
    ],
  ];

  test.each(FAULTS)(
    'because it %s is left out, the others go on, and it heals',
    async (_, column, fault, cure, sqlState, message) => {
      await declare('photos', 'people', column);
      const expectation = column === 'risky' ? RISKY : SMALL;
      const good = [PHOTOS, PEOPLE];
      await client.query(
        'insert into d.photo (id, album_id, person, divisor) select i, i % 3 + 1, i % 5, i from generate_series(1, 30) i',
      );
      await drainAll(client);
      await checkStored(client, { expectations: [...good, expectation] });

      await client.query(fault);
      await client.query(
        'insert into d.photo (id, album_id, person, divisor) values (50, 2, 77, 3)',
      );
      await drain();
      await checkStored(client, { expectations: good });
      await checkExact(client, { expectations: good });
      const failed = await stateOf(`d.album.${column}`);
      expect(failed).toMatchObject({ state: 'failed', failures: 1, retries: true });
      expect(failed.last_error).toMatch(message);
      expect(failed.last_error).toContain(sqlState);
      const { rows: log } = await client.query(
        "select name, error from millrace.run_log where kind = 'failure' order by id desc limit 1",
      );
      expect(log).toEqual([{ name: `d.album.${column}`, error: failed.last_error }]);
      // Rows that the fault does not touch are read right; the one that it does says what is wrong.
      const read = (id: number) =>
        client.query(
          `select d.album_${column}(t)::bigint = (${expectation.truth}) as right
         from d.album t where t.id = ${id}`,
        );
      expect((await read(2)).rows).toEqual([{ right: true }]);
      await expect(read(1)).rejects.toMatchObject({ code: sqlState });

      // Still wrong when tried again: the wait doubles.
      await retry(column);
      expect(await stateOf(`d.album.${column}`)).toMatchObject({ state: 'failed', failures: 2 });
      await checkStored(client, { expectations: good });

      await client.query(cure);
      await retry(column);
      await drainAll(client);
      expect(await stateOf(`d.album.${column}`)).toMatchObject({ state: 'active', failures: 0 });
      await checkStored(client, { expectations: [...good, expectation] });
      await checkExact(client, { expectations: [...good, expectation] });
      expect(await reconciled()).toEqual([]);
    },
  );

  test('at its declaration says so and holds up nobody', async () => {
    await client.query('insert into d.photo (id, album_id, divisor) values (1, 1, 0), (2, 2, 1)');
    await declare('photos', 'risky');
    await drainAll(client);
    expect(await stateOf('d.album.risky')).toMatchObject({ state: 'failed', failures: 1 });
    expect(await stateOf('d.album.photos')).toMatchObject({ state: 'active' });
    await checkStored(client, { expectations: [PHOTOS] });
    await client.query('update d.photo set divisor = 9 where id = 1');
    const { rows } = await client.query("select millrace.run_now('d.album.risky') as r");
    expect(rows[0].r).toMatchObject({ state: 'active' });
    await checkStored(client, { expectations: [PHOTOS, RISKY] });
  });

  /** Lets the wait be over, as the clock would, and ticks. */
  async function retry(column: string): Promise<void> {
    await client.query("update millrace.derivation set retry_at = '-infinity' where name = $1", [
      `d.album.${column}`,
    ]);
    await client.query('select millrace.tick()');
    await client.query('select millrace.tick()');
  }
});

describe('a large table', () => {
  const VIA: Expectation = {
    name: 'd.owner.photos',
    target: 'd.owner',
    column: 'photos',
    exact: 'd.owner_photos',
    truth: `select count(*) from d.photo p join d.album a on a.id = p.album_id
      where a.owner_id = t.id and a.label is null and p.size = 1`,
  };
  test('is counted by drains, batch by batch, while others write', {
    timeout: 60_000,
  }, async () => {
    await client.query(`
      insert into d.album (id, label)
        select i, repeat('long ', 200) from generate_series(4, 9000) i;
      insert into d.photo (id, album_id, person, divisor)
        select i, i % 9000 + 1, i % 11, 1 from generate_series(1, 200000) i
        where i % 9000 + 1 <= 9000;
      analyze d.album;
      analyze d.photo;
    `);
    await declare('photos', 'people');
    expect((await stateOf('d.album.photos')).state).toBe('backfilling');
    let batches = 0;
    for (;;) {
      await other.query(`insert into d.photo (id, album_id, person) values ($1, $2, $3)`, [
        300_000 + batches,
        ((batches * 977) % 9000) + 1,
        batches,
      ]);
      await other.query('delete from d.photo where id = $1', [batches * 31 + 1]);
      await other.query('update d.photo set album_id = $1 where id = $2', [
        ((batches * 1361) % 9000) + 1,
        batches * 57 + 2,
      ]);
      await checkSample();
      const { more } = await drain();
      await checkSample();
      batches += 1;
      if (!more) break;
    }
    expect(batches).toBeGreaterThan(4);
    await drainAll(client);
    expect((await stateOf('d.album.people')).state).toBe('active');
    await checkStored(client, { expectations: [PHOTOS, PEOPLE] });
    expect(await reconciled()).toEqual([]);
  });

  /** All rows would take a recount of each; some that were written and some that were not will do. */
  async function checkSample(): Promise<void> {
    const where = 't.id % 1361 = 1 or t.id % 977 = 1 or t.id < 5';
    const expectations = [PHOTOS, PEOPLE].map((expectation) => ({ ...expectation, where }));
    await checkExact(client, { expectations });
  }

  test('a backlog is drained in slices of any size, exact after each', async () => {
    await client.query(`
      create table d.owner (id bigint primary key, photos bigint not null default 0);
      insert into d.owner (id) values (1), (2);
      alter table d.album add owner_id bigint references d.owner (id);
      create index on d.album (owner_id);
      update d.album set owner_id = id % 2 + 1;
    `);
    await declare('photos', 'people');
    await client.query(
      `select millrace.counter('d.owner.photos', 'd.photo', '{via.owner_id}',
         'label is null and size = 1', through => 'd.album')`,
    );
    await client.query(`
      insert into d.photo (id, album_id, person, size)
        select i, i % 3 + 1, i % 7, i % 4 from generate_series(1, 120) i;
      update d.album set label = 'hidden' where id = 1;
      update d.photo set size = 1 where id % 3 = 0;
      update d.album set owner_id = 1, label = null;
      delete from d.photo where id % 5 = 0;
      update d.album set owner_id = 2 where id = 2;
      delete from d.album where id = 3;
    `);
    const expectations = [PHOTOS, PEOPLE, VIA];
    await checkExact(client, { expectations });
    let slices = 0;
    for (; (await drain(10)).rows > 0; slices += 1) await checkExact(client, { expectations });
    expect(slices).toBeGreaterThan(20);
    await drainAll(client);
    await checkStored(client, { expectations });
    await client.query("select millrace.drop('d.owner.photos')");
  });
});

describe('the API’s roles', () => {
  test('write the source and read the exact value, and see nothing of the engine', async () => {
    await client.query(`
      grant usage on schema d to app_account, app_anonymous;
      grant select (id, label), select (photos) on d.album to app_account;
      grant insert, delete, update on d.photo to app_account;
      grant select (id, album_id) on d.photo to app_account;
    `);
    await declare('photos', 'people');
    await db.asAccount(
      1,
      async (account) => {
        await account.query(
          'insert into d.photo (id, album_id, person) values (1, 1, 5), (2, 1, 6)',
        );
        await account.query('update d.photo set album_id = 2 where id = 1');
        const { rows } = await account.query(
          `select id, d.album_photos(row(id, null, 0, 0, 0, 0)::d.album) as photos
           from d.album where id < 3 order by id`,
        );
        expect(rows).toEqual([
          { id: '1', photos: '1' },
          { id: '2', photos: '1' },
        ]);
      },
      { commit: true },
    );
    const objects = await client.query<{ name: string }>(
      `select format('%I.%I', n.nspname, c.relname) as name
       from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where n.nspname in ('millrace', 'millrace_log') and c.relkind in ('r', 'v', 'p', 'm')`,
    );
    expect(objects.rows.length).toBeGreaterThan(10);
    const { rows: visible } = await client.query(
      `select role, kind, name from (values ('app_account'), ('app_anonymous'), ('app_moderator'), ('app_authenticator')) r(role)
       cross join lateral (
         select 'schema' as kind, n.nspname::text as name from pg_namespace n
         where n.nspname in ('millrace', 'millrace_log') and has_schema_privilege(r.role, n.oid, 'usage')
         union all
         select 'relation', c.oid::regclass::text
         from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where n.nspname in ('millrace', 'millrace_log') and c.relkind in ('r', 'v', 'p', 'm', 'S')
           -- read through a live view, whose readers cannot name it
           and not (c.relkind = 'v' and c.relname like '%\\_\\_exact'
             and not has_table_privilege(r.role, c.oid, 'insert,update,delete,truncate'))
           and (case when c.relkind = 'S' then has_sequence_privilege(r.role, c.oid, 'usage,select,update')
             else has_table_privilege(r.role, c.oid, 'select,insert,update,delete,truncate')
               or has_any_column_privilege(r.role, c.oid, 'select,insert,update') end)
         union all
         select 'function', p.oid::regprocedure::text
         from pg_proc p join pg_namespace n on n.oid = p.pronamespace
         where n.nspname in ('millrace', 'millrace_log') and has_function_privilege(r.role, p.oid, 'execute')
       ) v`,
    );
    expect(visible).toEqual([]);
    const { rows: exact } = await client.query<{ name: string }>(
      `select c.oid::regclass::text as name from pg_class c
       where c.relnamespace = 'millrace_log'::regnamespace and c.relname like '%\\_\\_exact'
         and has_table_privilege('app_account', c.oid, 'select')`,
    );
    for (const name of [
      'millrace_log.d__photo',
      'millrace_log.d__album__people__members',
      ...exact.map((view) => view.name),
    ]) {
      await expect(
        db.asAccount(1, (account) => account.query(`select from ${name}`)),
      ).rejects.toMatchObject({ code: '42501' });
    }
    // Who may not read the target may not read its counts.
    await expect(
      db.asAnonymous((anonymous) =>
        anonymous.query('select d.album_photos(row(1, null, 0, 0, 0, 0)::d.album)'),
      ),
    ).rejects.toMatchObject({ code: '42501' });
  });
});
