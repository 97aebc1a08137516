import type pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { installEngine, uninstallEngine } from '../../scripts/lib/engine.ts';
import { catalogDifference, describeCatalog } from '../lib/catalog.ts';
import { expectSqlState } from '../lib/database.ts';
import { createForeignDatabase, type ForeignDatabase } from '../lib/foreign-database.ts';
import {
  buildShop,
  SHOP_COUNTERS,
  SHOP_RELATIONS,
  shopSize,
  wrongRows,
  wrongValues,
} from '../lib/foreign-shop.ts';

/*
 * What databases have that this project would not do: rows that are hidden from the engine, tables
 * of several owners, types that compare in a way of their own, names of all kinds.
 */

describe('tables of another owner than the engine', () => {
  let db: ForeignDatabase;
  let keeper: string;
  let declarer: pg.Client;
  let owner: pg.Client;

  beforeEach(async () => {
    db = await createForeignDatabase();
    keeper = await db.createRole('keeper');
    await db.run(`grant create on database ${db.name} to ${keeper}`);
    owner = await db.connect();
    declarer = await db.connect(await db.createRole('both', { member: [db.owner, keeper] }));
  });

  afterEach(async () => {
    await db.run(`revoke create on database ${db.name} from ${keeper}`);
    await db.drop();
  });

  const catalog = () => describeCatalog(owner);
  const drain = () => db.run('select millrace.drain()', keeper);

  /** A table that anybody with rights may read in full, and one that counts its rows. */
  const twoTables = () =>
    owner.query(`
      create schema s;
      create table s.room (id bigint primary key, guests bigint not null default 0);
      create table s.guest (id bigint primary key, room_id bigint references s.room, tenant int);
      create index on s.guest (room_id);
      insert into s.room values (1), (2);
      insert into s.guest select i, i % 2 + 1, i % 3 from generate_series(1, 60) i`);

  const declareGuests = "select millrace.counter('s.room.guests', 's.guest', '{room_id}')";

  test('are kept when somebody with both rights declares; nothing is left in the end', async () => {
    // Row level security passes over members of a table's owner, which the engine's owner is not.
    await buildShop(owner, shopSize(600), await db.createRole('app'));
    await owner.query('alter table "Shop"."Customer" disable row level security');
    const before = await catalog();
    await installEngine(db.url(keeper));
    for (const { declaration } of [...SHOP_COUNTERS, ...SHOP_RELATIONS]) {
      await declarer.query(declaration);
    }
    expect(catalogDifference(before, await catalog()).join('\n')).toContain(`${keeper}=SELECT`);
    await owner.query('delete from "Shop"."Order" where "orderNo" % 3 = 0');
    await drain();
    for (const counter of SHOP_COUNTERS) {
      expect(await wrongValues(declarer, counter, 'exact'), counter.name).toEqual([]);
      expect(await wrongValues(declarer, counter, 'stored'), counter.name).toEqual([]);
    }
    for (const relation of SHOP_RELATIONS) {
      await db.run(`select millrace.run_now('${relation.name}')`, keeper);
      expect(await wrongRows(declarer, relation, relation.stored), relation.name).toEqual([]);
    }
    // The owner of a table without any grant may run what is generated for it.
    expect(await wrongValues(owner, SHOP_COUNTERS[3]!, 'exact')).toEqual([]);
    await declarer.query("select millrace.drop('Shop.Product.buyerCount')");
    expect(await wrongValues(owner, SHOP_COUNTERS[3]!, 'exact')).toEqual([]);
    await uninstallEngine(
      db.url((await declarer.query('select current_user as name')).rows[0].name),
    );
    expect(catalogDifference(before, await catalog())).toEqual([]);
  }, 300_000);

  test('keep the rights that the owner of the engine had before', async () => {
    await twoTables();
    await owner.query(`grant usage on schema s to ${keeper}; grant select on s.guest to ${keeper}`);
    const before = await catalog();
    await installEngine(db.url(keeper));
    await declarer.query(declareGuests);
    await declarer.query("select millrace.drop('s.room.guests')");
    const after = await describeCatalog(owner, {
      except: ['millrace', 'millrace_log', 'millrace_migration', 'graphile_worker'],
    });
    expect(catalogDifference(before, after)).toEqual([]);
  });

  test.each(['s.guest', 's.room'])(
    'row level security of %s that hides rows: MR016',
    async (table) => {
      await twoTables();
      await owner.query(`alter table ${table} enable row level security`);
      await installEngine(db.url(keeper));
      const error = await expectSqlState(declarer.query(declareGuests), 'MR016');
      expect(error.hint).toContain(`grant ${db.owner} to ${keeper}`);
      await owner.query(`
      create view s.summary as select r.id, count(g.id) as n
      from s.room r left join s.guest g on g.room_id = r.id group by r.id`);
      for (const guest of ['"room_id"', 'null']) {
        await expectSqlState(
          declarer.query(`select millrace.materialize('s.kept', 's.summary', '{id}',
          sources => '{"s.room": "id", "s.guest": ${guest}}')`),
          'MR016',
        );
      }
    },
  );

  test('row level security that comes later stops a counter instead of changing it', async () => {
    await twoTables();
    await installEngine(db.url(keeper));
    await declarer.query(declareGuests);
    await owner.query('insert into s.guest values (61, 1, 1)');
    await drain();
    const stored = async () =>
      (await owner.query('select id::integer, guests::integer from s.room order by id')).rows;
    const truth = [
      { id: 1, guests: 31 },
      { id: 2, guests: 30 },
    ];
    expect(await stored()).toEqual(truth);
    await owner.query(`
      alter table s.guest enable row level security;
      create policy one_tenant on s.guest using (tenant = 1)`);
    await expectSqlState(
      db.run('select * from millrace.reconcile(null, repair => true)', keeper),
      '42501',
    );
    const error = await expectSqlState(
      db.run("call millrace.reconcile_batches('{}')", keeper),
      'MR059',
    );
    expect(error.detail).toMatch(/^s\.room\.guests: 42501: /);
    // counting afresh is what needs to see all rows
    await owner.query(`insert into s.room values (3); delete from s.room where id = 3;
      insert into s.room values (3); delete from s.guest where id = 61`);
    await drain();
    const [status] = await db.run<{ state: string; last_error: string }>(
      'select state, last_error from millrace.status',
      keeper,
    );
    expect(status).toMatchObject({
      state: 'failed',
      last_error: expect.stringMatching(/^42501: /),
    });
    // what is only added and subtracted was, and the drain went on
    expect(await stored()).toEqual([
      { id: 1, guests: 30 },
      { id: 2, guests: 30 },
      { id: 3, guests: 0 },
    ]);
    await expectSqlState(owner.query('select s.room_guests(r) from s.room r'), '42501');
    await owner.query('alter table s.guest disable row level security');
    await db.run("select millrace.run_now('s.room.guests')", keeper);
    expect(await stored()).toEqual([
      { id: 1, guests: 30 },
      { id: 2, guests: 30 },
      { id: 3, guests: 0 },
    ]);
  });

  test('row level security that comes later stops a relation instead of changing it', async () => {
    await twoTables();
    await owner.query(`create view s.summary as select r.id, count(g.id) as n
      from s.room r left join s.guest g on g.room_id = r.id group by r.id`);
    await installEngine(db.url(keeper));
    await declarer.query(`select millrace.materialize('s.kept', 's.summary', '{id}',
      sources => '{"s.room": "id", "s.guest": "room_id"}', debounce => '0', max_wait => '0')`);
    const stored = async () =>
      (await declarer.query('select id::integer, n::integer from s.kept order by id')).rows;
    const truth = await stored();
    expect(truth).toEqual([
      { id: 1, n: 30 },
      { id: 2, n: 30 },
    ]);
    await owner.query(`
      alter table s.guest enable row level security;
      create policy one_tenant on s.guest using (tenant = 1)`);
    await owner.query('delete from s.guest where id = 6');
    await drain();
    await db.run(`call millrace.recompute('{"name": "s.kept"}')`, keeper);
    expect(await stored()).toEqual(truth);
    const failed = await db.run<{ error: string }>(
      'select last_error as error from millrace.failed_key',
      keeper,
    );
    expect(failed.map(({ error }) => error)).toEqual([expect.stringMatching(/^42501: /)]);
  });
});

describe('types and names', () => {
  let db: ForeignDatabase;
  let client: pg.Client;

  beforeAll(async () => {
    db = await createForeignDatabase();
    await db.administer('create extension citext');
    await installEngine(db.url());
    client = await db.connect();
  });

  afterAll(async () => {
    await db.drop();
  });

  beforeEach(async () => {
    await client.query(`
      set client_min_messages to warning;
      select millrace.drop(name) from millrace.derivation;
      drop schema if exists s, "x.y", x cascade;
      create schema s`);
  });

  test.each([
    ['a type', 'public.citext'],
    ['a domain over one', 's.name'],
  ])(
    '%s that compares in its own way is refused as key, member and foreign key',
    async (_, type) => {
      await client.query(`
      create domain s.name as public.citext;
      create table s.tag (name ${type} primary key, uses bigint not null default 0);
      create table s.place (id bigint primary key, uses bigint not null default 0, users bigint);
      create table s.use (id bigint primary key, name ${type} references s.tag, place_id bigint,
        words ${type.replace('s.name', 'text')}[]);
      insert into s.tag values ('Tea');
      insert into s.place values (1);
      insert into s.use values (1, 'Tea', 1), (2, 'tea', 1)`);
      for (const declaration of [
        `millrace.counter('s.tag.uses', 's.use', '{name}')`,
        `millrace.counter('s.place.users', 's.use', '{place_id}', distinct_on => '{name}')`,
        `millrace.counter('s.place.uses', 's.use', '{place_id}', through => 's.tag',
        filter => 'via.uses >= 0')`,
        `millrace.react('by_name', 's.use', '{name}', task => 'anything')`,
      ]) {
        const error = await expectSqlState(client.query(`select ${declaration}`), 'MR004');
        expect(error.message, declaration).toMatch(/has type (public\.)?citext/);
        expect(error.hint).toMatch(/lower\(/);
      }
      // what is only read, and what is made of it, may be of that type
      await client.query(`select millrace.counter('s.place.uses', 's.use', '{place_id}',
      filter => $$name operator(public.=) 'tea'::public.citext$$)`);
      await client.query(
        `select millrace.counter('s.place.users', 's.use', '{place_id}', distinct_on => '{words}')`,
      );
      await client.query(`insert into s.use values (3, 'TEA', 1, '{A}'), (4, 'tea', 1, '{a}')`);
      await client.query('select millrace.drain()');
      const { rows } = await client.query('select uses::integer, users::integer from s.place');
      expect(rows).toEqual([{ uses: 4, users: type === 's.name' ? 2 : 1 }]);
    },
  );

  const RESERVED = ['column_name', 'delta', 'value', 'n', 'stored', 'exact', 'truth', 'is_noted'];

  test.each(RESERVED)('a key column called %s is refused', async (name) => {
    await client.query(`
      create table s.room (${name} bigint primary key, guests bigint not null default 0);
      create table s.guest (id bigint primary key, room_id bigint)`);
    const error = await expectSqlState(
      client.query(`select millrace.counter('s.room.guests', 's.guest', '{room_id}')`),
      'MR011',
    );
    expect(error.detail).toContain(`Primary key: ${name}.`);
  });

  test('a key column called like a member is refused where members are counted', async () => {
    await client.query(`
      create table s.room (member_1 bigint primary key, guests bigint not null default 0);
      create table s.guest (id bigint primary key, room_id bigint)`);
    const declare = (members: string) =>
      client.query(`select millrace.counter('s.room.guests', 's.guest', '{room_id}', ${members})`);
    await expectSqlState(declare(`distinct_on => '{id}'`), 'MR011');
    await declare('distinct_on => null');
  });

  test('names that hold signs of formats, quotes and dots', async () => {
    const table = `s."q %s %1$I '' \\ ""x"`;
    await client.query(`
      create table s."room %" (id bigint primary key, "guests %s'" bigint not null default 0);
      create table ${table} (id bigint primary key, "room %s" bigint);
      insert into s."room %" values (1);
      select millrace.counter('s."room %"."guests %s''"', '${table.replaceAll("'", "''")}',
        '{room %s}', filter => '"room %s" % 2 = 1')`);
    const read = async () => {
      const { rows } = await client.query(
        `select "guests %s'"::integer as stored, s."room %_guests %s'"(r)::integer as exact
        from s."room %" r`,
      );
      return rows[0];
    };
    await client.query(`insert into ${table} select i, i % 2 from generate_series(1, 8) i`);
    expect(await read()).toEqual({ stored: 0, exact: 4 });
    await client.query('select millrace.drain()');
    expect(await read()).toEqual({ stored: 4, exact: 4 });
    await client.query('begin isolation level repeatable read');
    await expectSqlState(client.query(`truncate ${table}`), 'MR020');
    await client.query('rollback');
    await client.query(`truncate ${table}`);
    expect(await read()).toEqual({ stored: 4, exact: 0 });
  });

  test('two targets whose names come out the same: the second is refused', async () => {
    await client.query(`
      create schema "x.y"; create schema x;
      create table "x.y".z (id bigint primary key, n bigint not null default 0);
      create table x."y.z" (id bigint primary key, n bigint not null default 0);
      create table s.q (id bigint primary key, z bigint)`);
    await client.query(`select millrace.counter('"x.y".z.n', 's.q', '{z}')`);
    await expectSqlState(
      client.query(`select millrace.counter('x."y.z".n', 's.q', '{z}')`),
      'MR025',
    );
    await client.query(`select millrace.counter('"x.y".z.n', 's.q', '{z}')`);
  });

  test('tables that were dropped and made again take the same declarations', async () => {
    const make = `
      create table s.room (id bigint primary key, guests bigint not null default 0,
        names bigint not null default 0);
      create table s.guest (id bigint primary key, room_id bigint, name text);
      insert into s.room values (1);
      insert into s.guest values (1, 1)`;
    for (const dropped of ['s.room, s.guest', 's.room', 's.guest']) {
      await client.query(make);
      await client.query(`
        select millrace.counter('s.room.guests', 's.guest', '{room_id}');
        select millrace.counter('s.room.names', 's.guest', '{room_id}', distinct_on => '{name}')`);
      const { rows } = await client.query('select s.room_guests(r)::integer as n from s.room r');
      expect(rows, dropped).toEqual([{ n: 1 }]);
      await client.query(
        `drop table ${dropped} cascade; drop table if exists s.room, s.guest cascade`,
      );
    }
    // one is asked for, and all whose tables are gone are forgotten
    await client.query("select millrace.drop('s.room.guests')");
    expect((await client.query('select from millrace.derivation')).rowCount).toBe(0);
  });

  test('two columns that differ behind their first fifty letters are noted apart', async () => {
    const column = (end: string) => `number_of_those_who_ever_were_in_this_room_for_${end}`;
    await client.query(`
      create table s.room (id bigint primary key, ${column('days')} bigint not null default 0,
        ${column('years')} bigint not null default 0);
      create table s.guest (id bigint primary key, room_id bigint);
      insert into s.room values (1)`);
    for (const end of ['days', 'years']) {
      await client.query(
        `select millrace.counter('s.room.${column(end)}', 's.guest', '{room_id}')`,
      );
    }
    const { rows } = await client.query(
      `select count(*)::integer as n from pg_trigger
      where tgrelid = 's.room'::regclass
        and tgfoid = 'millrace.tg_target__note_direct_write()'::regprocedure`,
    );
    expect(rows).toEqual([{ n: 2 }]);
    await client.query(`select millrace.drop('s.room.${column('days')}')`);
    await client.query(`select millrace.drop('s.room.${column('years')}')`);
    const left = await client.query(`select from pg_trigger where tgrelid = 's.room'::regclass`);
    expect(left.rowCount).toBe(0);
  });

  test('a batch of composite keys is read by the index on the key, not by the first column', async () => {
    await client.query(`
      create table s.room (tenant bigint, id bigint, guests bigint not null default 0,
        primary key (tenant, id));
      create table s.guest (tenant bigint, id bigint, room_id bigint, primary key (tenant, id));
      create index guest_of_room on s.guest (tenant, room_id);
      insert into s.room select i % 3, i from generate_series(1, 6000) i;
      insert into s.guest select i % 3, i, i % 6000 from generate_series(1, 60000) i`);
    await client.query('vacuum analyze s.room, s.guest');
    await client.query(`select millrace.counter('s.room.guests', 's.guest', '{tenant,room_id}')`);
    const { rows } = await client.query<{ sql: string }>(
      `select millrace.reconcile_sql('{s.room.guests}', 'keys', true, true) as sql`,
    );
    await client.query('set search_path to pg_catalog');
    await client.query(`prepare batch (text[], integer) as ${rows[0]!.sql}`);
    const { rows: plan } = await client.query<{ 'QUERY PLAN': string }>(
      `explain execute batch ('{1,3000}', 20)`,
    );
    await client.query('deallocate batch; reset search_path');
    const text = plan.map((line) => line['QUERY PLAN']).join('\n');
    expect(text).toContain('guest_of_room');
    expect(text).not.toMatch(/guest_pkey|Seq Scan on guest/);
  });
});
