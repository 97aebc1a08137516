import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  createTestDatabase,
  expectSqlState,
  type TestDatabase,
  waitUntilBlocked,
} from '../lib/database.ts';
import { checkExact, checkStored, drainAll, type Expectation } from './lib/history.ts';

/*
 * Declarations: what a wrong one says, what a right one leaves, and that it can be run again.
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
  await client.query('rollback');
  await client.query(`
    set client_min_messages to warning;
    select millrace.drop(d.name) from millrace.derivation d where d.name like 'd.%';
    drop schema if exists d cascade;
    create schema d;
    create table d.album (id bigint primary key, photos bigint not null default 0,
      likes bigint not null default 0, size numeric(12, 2) not null default 0,
      small integer not null default 0, label text, half double precision,
      made bigint generated always as (id * 2) stored);
    create table d.photo (id bigint primary key, album_id bigint references d.album (id),
      short_id integer, size numeric(10, 4), ratio double precision, likes integer, seen json,
      sign text, recorded_at timestamptz, place point, tags text[], taken_at timestamptz,
      owner_id bigint, helper_id bigint);
    create index on d.photo (album_id);
    create table d.person (id bigint primary key, photos bigint not null default 0, secret boolean);
    alter table d.photo add foreign key (owner_id) references d.person (id),
      add foreign key (helper_id) references d.person (id);
    create table d.pair (a bigint, b text, n bigint not null default 0, primary key (a, b));
    create table d.keyless (id bigint, n bigint);
    create view d.shown as select * from d.photo;
    create function d.now_is(at timestamptz) returns boolean stable return at < now();
    insert into d.album (id) values (1), (2);
    insert into d.photo (id, album_id, likes) select i, i % 2 + 1, i from generate_series(1, 10) i;
  `);
});

const PHOTOS: Expectation = {
  name: 'd.album.photos',
  target: 'd.album',
  column: 'photos',
  exact: 'd.album_photos',
  truth: 'select count(*) from d.photo p where p.album_id = t.id',
};

const declarePhotos = () =>
  client.query("select millrace.counter('d.album.photos', 'd.photo', '{album_id}')");

/** Everything that the engine generates or writes about, with the identity of each object. */
async function generated(): Promise<unknown[]> {
  const { rows } = await client.query(`
    select 'relation' as kind, c.oid, c.relname::text as name, c.relfilenode as detail
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'millrace_log' and c.relname like 'd\\_\\_%'
    union all
    select 'function', p.oid, p.proname, 0 from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where n.nspname = 'd' or n.nspname = 'millrace_log' and p.proname like 'd\\_\\_%'
    union all
    select 'trigger', t.oid, t.tgname, 0 from pg_trigger t join pg_class c on c.oid = t.tgrelid
    join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'd' and not t.tgisinternal
    union all
    select 'derivation', d.target, d.name, d.id from millrace.derivation d where d.name like 'd.%'
    union all
    select 'source', s.relation, s.relation::text, s.log
    from millrace.source s where s.relation::regclass::text like 'd.%'
    order by 1, 3, 2`);
  return rows;
}

type Wrong = [what: string, state: string, message: RegExp, call: string];

const call = (target: string, rest: string) => `select millrace.counter('${target}', ${rest})`;

const WRONG: Wrong[] = [
  [
    'a target of two parts',
    'MR001',
    /not schema\.table\.column/,
    call('album.photos', "'d.photo', '{album_id}'"),
  ],
  [
    'a target that is no name',
    'MR001',
    /not schema\.table\.column/,
    call('a b c', "'d.photo', '{album_id}'"),
  ],
  [
    'no target',
    'MR001',
    /not schema\.table\.column/,
    "select millrace.counter(null, 'd.photo', '{album_id}')",
  ],
  [
    'an unknown target table',
    'MR001',
    /no table/,
    call('d.albums.photos', "'d.photo', '{album_id}'"),
  ],
  ['an unknown source', 'MR001', /no table/, call('d.album.photos', "'d.photos', '{album_id}'")],
  ['no source', 'MR001', /no table/, call('d.album.photos', "null, '{album_id}'")],
  [
    'a view as a source',
    'MR001',
    /not an ordinary/,
    call('d.album.photos', "'d.shown', '{album_id}'"),
  ],
  [
    'an unknown through table',
    'MR001',
    /no table/,
    call('d.album.photos', "'d.photo', '{album_id}', through => 'd.x'"),
  ],
  [
    'an unknown target column',
    'MR002',
    /no column/,
    call('d.album.nothing', "'d.photo', '{album_id}'"),
  ],
  ['an unknown key column', 'MR002', /no column/, call('d.album.photos', "'d.photo', '{nothing}'")],
  [
    'an unknown member',
    'MR002',
    /no column/,
    call('d.album.photos', "'d.photo', '{album_id}', distinct_on => '{nobody}'"),
  ],
  [
    'a key of the through table that there is not',
    'MR002',
    /no column/,
    call('d.album.photos', "'d.photo', '{via.album_id}'"),
  ],
  [
    'a target without a primary key',
    'MR003',
    /no primary key/,
    call('d.keyless.n', "'d.photo', '{album_id}'"),
  ],
  [
    'a target column of text',
    'MR004',
    /cannot hold/,
    call('d.album.label', "'d.photo', '{album_id}'"),
  ],
  [
    'a target column of floating point',
    'MR004',
    /cannot hold/,
    call('d.album.half', "'d.photo', '{album_id}'"),
  ],
  [
    'a generated target column',
    'MR004',
    /cannot hold/,
    call('d.album.made', "'d.photo', '{album_id}'"),
  ],
  [
    'the primary key as the target column',
    'MR004',
    /cannot hold/,
    call('d.album.id', "'d.photo', '{album_id}'"),
  ],
  [
    'a filter that is no boolean',
    'MR004',
    /filter is of type/,
    call('d.album.photos', "'d.photo', '{album_id}', 'likes'"),
  ],
  [
    'a floating-point sum',
    'MR004',
    /value is of type/,
    call('d.album.photos', "'d.photo', '{album_id}', value => 'ratio'"),
  ],
  [
    'a key of another type',
    'MR004',
    /key is of type/,
    call('d.album.photos', "'d.photo', '{short_id}'"),
  ],
  [
    'a column without equality',
    'MR004',
    /no equality/,
    call('d.album.photos', "'d.photo', '{album_id}', 'seen is null'"),
  ],
  [
    'a geometric column',
    'MR004',
    /no equality/,
    call('d.album.photos', "'d.photo', '{album_id}', 'place is null'"),
  ],
  [
    'a sum with more decimals than its column',
    'MR004',
    /./,
    call('d.album.size', "'d.photo', '{album_id}', value => 'size'"),
  ],
  [
    'a fraction in a whole column',
    'MR004',
    /./,
    call('d.album.photos', "'d.photo', '{album_id}', value => 'size'"),
  ],
  [
    'no foreign key to the through table',
    'MR005',
    /no foreign key/,
    call('d.album.photos', "'d.photo', '{album_id}', through => 'd.pair'"),
  ],
  [
    'two foreign keys to the through table',
    'MR005',
    /several foreign keys/,
    call('d.album.photos', "'d.photo', '{album_id}', through => 'd.person'"),
  ],
  [
    'a filter that does not parse',
    'MR006',
    /cannot be used/,
    call('d.album.photos', "'d.photo', '{album_id}', 'likes >'"),
  ],
  [
    'a filter that tries to be more',
    'MR006',
    /cannot be used/,
    call(
      'd.album.photos',
      "'d.photo', '{album_id}', 'true) from d.photo; drop table d.person; select (true'",
    ),
  ],
  [
    'a filter with an unknown column',
    'MR006',
    /cannot be used/,
    call('d.album.photos', "'d.photo', '{album_id}', 'nothing > 1'"),
  ],
  [
    'via without through',
    'MR006',
    /cannot be used/,
    call('d.album.photos', "'d.photo', '{album_id}', 'via.id > 1'"),
  ],
  [
    'a filter that depends on the moment',
    'MR007',
    /not immutable/,
    call('d.album.photos', "'d.photo', '{album_id}', 'taken_at < now()'"),
  ],
  [
    'a filter that depends on the date',
    'MR007',
    /not immutable/,
    call('d.album.photos', "'d.photo', '{album_id}', 'taken_at < current_timestamp'"),
  ],
  [
    'a stable function',
    'MR007',
    /not immutable/,
    call('d.album.photos', "'d.photo', '{album_id}', 'd.now_is(taken_at)'"),
  ],
  [
    'a random filter',
    'MR007',
    /not immutable/,
    call('d.album.photos', "'d.photo', '{album_id}', 'random() < 0.5'"),
  ],
  [
    'a cast that depends on settings',
    'MR007',
    /not immutable/,
    call('d.album.photos', "'d.photo', '{album_id}', 'taken_at::text <> $$$$'"),
  ],
  [
    'a subquery',
    'MR007',
    /more than columns/,
    call('d.album.photos', "'d.photo', '{album_id}', 'exists (select from d.person)'"),
  ],
  [
    'an aggregate',
    'MR007',
    /more than columns/,
    call('d.album.photos', "'d.photo', '{album_id}', 'count(*) > 1'"),
  ],
  [
    'a window function',
    'MR007',
    /more than columns/,
    call('d.album.photos', "'d.photo', '{album_id}', value => 'row_number() over ()'"),
  ],
  [
    'a whole row',
    'MR007',
    /more than columns/,
    call('d.album.photos', "'d.photo', '{album_id}', 'source is not null'"),
  ],
  [
    'a system column',
    'MR007',
    /more than columns/,
    call('d.album.photos', "'d.photo', '{album_id}', 'source.xmin is not null'"),
  ],
  [
    'a key that is too short',
    'MR008',
    /key has 1 columns/,
    call('d.pair.n', "'d.photo', '{album_id}'"),
  ],
  ['no key', 'MR008', /key has 0 columns/, call('d.album.photos', "'d.photo', '{}'")],
  [
    'distinct_on with a value',
    'MR009',
    /distinct count/,
    call('d.album.photos', "'d.photo', '{album_id}', value => 'likes', distinct_on => '{id}'"),
  ],
  [
    'distinct_on of nothing',
    'MR009',
    /distinct count/,
    call('d.album.photos', "'d.photo', '{album_id}', distinct_on => '{}'"),
  ],
  [
    'a value derived from itself',
    'MR010',
    /derived from itself/,
    call('d.album.photos', "'d.album', '{id}', value => 'photos'"),
  ],
  [
    'a column called sign',
    'MR011',
    /log uses itself/,
    call('d.album.photos', "'d.photo', '{album_id}', 'sign = $$x$$'"),
  ],
  [
    'a column called recorded_at',
    'MR011',
    /log uses itself/,
    call('d.album.photos', "'d.photo', '{album_id}', 'recorded_at is null'"),
  ],
  [
    'pausing what is not declared',
    'MR012',
    /no derivation/,
    "select millrace.pause('d.album.photos')",
  ],
  [
    'resuming what is not declared',
    'MR012',
    /no derivation/,
    "select millrace.resume('d.album.photos')",
  ],
  [
    'running what is not declared',
    'MR012',
    /no derivation/,
    "select millrace.run_now('d.album.photos')",
  ],
  [
    'explaining what is not declared',
    'MR012',
    /no derivation/,
    "select millrace.explain('d.album.photos')",
  ],
  [
    'reconciling what is not declared',
    'MR012',
    /no derivation/,
    "select millrace.reconcile('d.album.photos')",
  ],
  ['dropping what is not declared', 'MR012', /no derivation/, 'select millrace.drop(null)'],
];

describe('a wrong declaration', () => {
  test.each(WRONG)('%s is %s', async (_, state, message, statement) => {
    const before = await generated();
    const error = await expectSqlState(client.query(statement), state);
    expect(error.message).toMatch(message);
    expect(error.detail, 'detail').toMatch(/\S/);
    expect(error.hint, 'hint').toMatch(/\S/);
    expect(await generated()).toEqual(before);
    expect(await leftovers()).toEqual([]);
  });

  test('a temporary table is MR001', async () => {
    await client.query('create temporary table passing (id bigint primary key, album_id bigint)');
    const error = await expectSqlState(
      client.query(call('d.album.photos', "'passing', '{album_id}'")),
      'MR001',
    );
    expect(error.hint).toMatch(/temporary/);
    await client.query('drop table passing');
  });

  test('the name of an existing function is MR013, and that function stays', async () => {
    await client.query(
      'create function d.album_photos(d.album) returns bigint immutable return 42::bigint',
    );
    const before = await generated();
    const error = await expectSqlState(declarePhotos(), 'MR013');
    expect(error.hint).toMatch(/\S/);
    expect(await generated()).toEqual(before);
    const { rows } = await client.query('select d.album_photos(a) as n from d.album a limit 1');
    expect(rows).toEqual([{ n: '42' }]);
  });

  test('by somebody who does not own the engine is MR014', async () => {
    await client.query('begin');
    await client.query('grant usage on schema millrace, d to app_operator');
    await client.query('grant execute on all functions in schema millrace to app_operator');
    await client.query('set local role app_operator');
    const error = await expectSqlState(declarePhotos(), 'MR014');
    expect(error.hint).toMatch(/set role app_owner/);
    await client.query('rollback');
  });

  test('a source that hides rows from the engine is MR016', async () => {
    await client.query(
      'alter table d.photo enable row level security; alter table d.photo force row level security',
    );
    const error = await expectSqlState(declarePhotos(), 'MR016');
    expect(error.hint).toMatch(/no force row level security/);
    await client.query('alter table d.photo no force row level security');
    await declarePhotos();
    await checkExact(client, { expectations: [PHOTOS] });
  });

  test('a column that is generated when it is read is MR004', async (context) => {
    const { rows } = await client.query("select current_setting('server_version_num')::int as n");
    if (rows[0].n < 180000) context.skip('virtual generated columns came with Postgres 18');
    await client.query(
      'alter table d.photo add twice integer generated always as (likes * 2) virtual',
    );
    const error = await expectSqlState(
      client.query(call('d.album.photos', "'d.photo', '{album_id}', 'twice > 2'")),
      'MR004',
    );
    expect(error.hint).toMatch(/stored/);
  });

  test('a circle over two tables is MR010', async () => {
    await client.query(
      "select millrace.counter('d.album.likes', 'd.person', '{id}', value => 'photos')",
    );
    const error = await expectSqlState(
      client.query(
        "select millrace.counter('d.person.photos', 'd.album', '{id}', value => 'likes')",
      ),
      'MR010',
    );
    expect(error.detail).toMatch(/d\.person\.photos reads d\.album\.likes/);
  });

  test('running a paused derivation is MR015', async () => {
    await declarePhotos();
    await client.query("select millrace.pause('d.album.photos')");
    const error = await expectSqlState(
      client.query("select millrace.run_now('d.album.photos')"),
      'MR015',
    );
    expect(error.hint).toMatch(/resume/);
  });

  test('reconcile with a snapshot older than a drain fails to serialize, and repairs nothing', async () => {
    await declarePhotos();
    const old = await db.connect();
    await old.query('begin isolation level repeatable read');
    await old.query('select');
    await old.query('select count(*) from d.photo');
    await client.query('insert into d.photo (id, album_id) values (20, 1)');
    await drainAll(client);
    await expectSqlState(old.query('select millrace.reconcile(null, true)'), '40001');
    await old.query('rollback');
    await checkStored(client, { expectations: [PHOTOS] });
  });
});

async function leftovers(): Promise<unknown[]> {
  const { rows } = await client.query(
    "select relname from pg_class where relname = 'declared_expression'",
  );
  return rows;
}

describe('a declaration', () => {
  test('counts what is there, and tags column and function for the API', async () => {
    await client.query("comment on column d.album.photos is 'How many photos.'");
    const { rows } = await declarePhotos();
    expect(rows).toEqual([{ counter: 'd.album.photos' }]);
    await checkStored(client, { expectations: [PHOTOS] });
    await checkExact(client, { expectations: [PHOTOS] });
    const { rows: comments } = await client.query(
      `select col_description('d.album'::regclass, 2) as column,
         obj_description('d.album_photos(d.album)'::regprocedure, 'pg_proc') as function`,
    );
    expect(comments).toEqual([
      {
        column: '@behavior -attribute:select\nHow many photos.',
        function: '@behavior -filterBy -orderBy\n@notNull\nHow many photos.',
      },
    ]);
  });

  test('run again changes nothing', async () => {
    await declarePhotos();
    await client.query(
      "select millrace.counter('d.album.likes', 'd.photo', '{album_id}', value => 'likes')",
    );
    await client.query('insert into d.photo (id, album_id) values (20, 1)');
    const before = await generated();
    const pending = await pendingRows();
    expect(pending).toBe(1);
    await declarePhotos();
    await client.query(
      "select millrace.counter('d.album.likes', 'd.photo', '{album_id}', value => 'likes')",
    );
    // The exact read is generated again, which keeps its identity.
    expect(await generated()).toEqual(before);
    expect(await pendingRows()).toBe(pending);
  });

  test('with other arguments replaces the one before and counts again', async () => {
    await declarePhotos();
    await client.query('insert into d.photo (id, album_id, likes) values (20, 1, 100)');
    await client.query(
      "select millrace.counter('d.album.photos', 'd.photo', '{album_id}', 'likes > 5')",
    );
    const expectations = [{ ...PHOTOS, truth: `${PHOTOS.truth} and p.likes > 5` }];
    await checkExact(client, { expectations });
    await client.query('update d.photo set likes = likes + 3');
    await checkExact(client, { expectations });
    await drainAll(client);
    await checkStored(client, { expectations });
    await client.query(
      "select millrace.counter('d.album.photos', 'd.photo', '{album_id}', distinct_on => '{likes}')",
    );
    await checkExact(client, {
      expectations: [
        {
          ...PHOTOS,
          truth: 'select count(distinct p.likes) from d.photo p where p.album_id = t.id',
        },
      ],
    });
    const { rows } = await client.query("select name from millrace.status where name like 'd.%'");
    expect(rows).toEqual([{ name: 'd.album.photos' }]);
  });

  test('can move to another source, and leaves nothing at the old one', async () => {
    await declarePhotos();
    await client.query("select millrace.counter('d.album.photos', 'd.person', '{id}')");
    const { rows } = await client.query(
      "select tgname from pg_trigger where tgrelid = 'd.photo'::regclass and not tgisinternal",
    );
    expect(rows).toEqual([]);
    const { rows: log } = await client.query(
      "select to_regclass('millrace_log.d__photo') is null as gone",
    );
    expect(log).toEqual([{ gone: true }]);
  });

  test('rolled back leaves nothing', async () => {
    const before = await generated();
    await client.query('begin');
    await declarePhotos();
    await client.query('insert into d.photo (id, album_id) values (20, 1)');
    await client.query('select millrace.drain()');
    await client.query('rollback');
    expect(await generated()).toEqual(before);
  });

  test('dropped leaves the column with its value and its comment', async () => {
    await client.query("comment on column d.album.photos is 'How many photos.'");
    const before = await generated();
    await declarePhotos();
    await client.query("select millrace.drop('d.album.photos')");
    expect(await generated()).toEqual(before);
    const { rows } = await client.query(
      `select id, photos, col_description('d.album'::regclass, 2) as comment
       from d.album order by id`,
    );
    expect(rows).toEqual([
      { id: '1', photos: '5', comment: 'How many photos.' },
      { id: '2', photos: '5', comment: 'How many photos.' },
    ]);
    await client.query('insert into d.photo (id, album_id) values (20, 1)');
    await client.query('update d.album set id = 3 where id = 3');
  });

  test('keeps Postgres from dropping a column that it needs', async () => {
    await client.query(
      "select millrace.counter('d.album.photos', 'd.photo', '{album_id}', 'likes > 5')",
    );
    await expectSqlState(client.query('alter table d.photo drop column likes'), '2BP01');
  });

  test('refuses a change of the target’s key (MR021), and no other', async () => {
    await declarePhotos();
    await client.query('insert into d.album (id) values (9)');
    const error = await expectSqlState(
      client.query('update d.album set id = 10 where id = 9'),
      'MR021',
    );
    expect(error.hint).toMatch(/\S/);
    await client.query("update d.album set id = id, label = 'same' where id = 9");
  });

  test('refuses a truncate in repeatable read (MR020): it may not see what it removes', async () => {
    await declarePhotos();
    await client.query('begin isolation level repeatable read');
    const error = await expectSqlState(client.query('truncate d.photo'), 'MR020');
    expect(error.hint).toMatch(/\S/);
    await client.query('rollback');
  });
});

async function pendingRows(): Promise<number> {
  const { rows } = await client.query(
    "select max(pending_rows)::integer as n from millrace.status where name like 'd.%'",
  );
  return rows[0].n;
}

describe('pause, resume, run_now', () => {
  test('a paused counter reads right, is not drained, and is right again when resumed', async () => {
    await declarePhotos();
    await client.query(
      "select millrace.counter('d.album.likes', 'd.photo', '{album_id}', value => 'likes')",
    );
    const likes: Expectation = {
      name: 'd.album.likes',
      target: 'd.album',
      column: 'likes',
      exact: 'd.album_likes',
      truth: 'select coalesce(sum(p.likes), 0) from d.photo p where p.album_id = t.id',
    };
    await client.query("select millrace.pause('d.album.photos')");
    await client.query('insert into d.photo (id, album_id, likes) values (20, 1, 7)');
    await checkExact(client, { expectations: [PHOTOS, likes] });
    await drainAll(client);
    await checkStored(client, { expectations: [likes] });
    const { rows } = await client.query('select photos from d.album where id = 1');
    expect(rows).toEqual([{ photos: '5' }]);
    await checkExact(client, { expectations: [PHOTOS, likes] });
    expect(await state('d.album.photos')).toBe('paused');
    await client.query("select millrace.resume('d.album.photos')");
    await drainAll(client);
    expect(await state('d.album.photos')).toBe('active');
    await checkStored(client, { expectations: [PHOTOS, likes] });
    await checkExact(client, { expectations: [PHOTOS, likes] });
  });

  test('run_now drains what is pending', async () => {
    await declarePhotos();
    await client.query('insert into d.photo (id, album_id) values (20, 1)');
    const { rows } = await client.query("select millrace.run_now('d.album.photos') as r");
    expect(rows[0].r).toMatchObject({ name: 'd.album.photos', state: 'active', rows: 1 });
    await checkStored(client, { expectations: [PHOTOS] });
  });

  test('explain shows SQL that runs: the views and the triggers', async () => {
    await declarePhotos();
    const { rows } = await client.query("select millrace.explain('d.album.photos') as sql");
    for (const part of ['create trigger _900_millrace_insert', 'create view', 'd.album_photos(']) {
      expect(rows[0].sql).toContain(part);
    }
  });

  test('status, run_log and drift_log tell what happened', async () => {
    await declarePhotos();
    await client.query('insert into d.photo (id, album_id) values (20, 1), (21, 1)');
    const { rows: pending } = await client.query(
      `select state, source, target, pending_rows::integer, lag > interval '0' as lags
       from millrace.status where name = 'd.album.photos'`,
    );
    expect(pending).toEqual([
      { state: 'active', source: 'd.photo', target: 'd.album', pending_rows: 2, lags: true },
    ]);
    await drainAll(client);
    const { rows: drained } = await client.query(
      `select rows::integer, keys::integer, error from millrace.run_log
       where kind = 'drain' order by id desc limit 1`,
    );
    expect(drained).toEqual([{ rows: 2, keys: 1, error: null }]);
    await client.query('update d.album set photos = photos + 40 where id = 1');
    const { rows: reconciled } = await client.query(
      `select name, keys_checked::integer, keys_drifted::integer, drift::integer, repaired, cause
       from millrace.reconcile('d.album.photos', true)`,
    );
    expect(reconciled).toMatchObject([
      { name: 'd.album.photos', keys_checked: 2, keys_drifted: 1, drift: 40, repaired: true },
    ]);
    expect(reconciled[0].cause).toMatch(/written directly/);
    const { rows: drift } = await client.query(
      `select keys_drifted::integer, drift::integer, repaired, cause from millrace.drift_log
       where name = 'd.album.photos'`,
    );
    expect(drift).toMatchObject([{ keys_drifted: 1, drift: 40, repaired: true }]);
    await checkStored(client, { expectations: [PHOTOS] });
  });
});

async function state(name: string): Promise<string> {
  const { rows } = await client.query('select state from millrace.status where name = $1', [name]);
  return rows[0]?.state;
}

describe('declare_start and declare_finish', () => {
  const declareFile = async (...statements: string[]) => {
    await client.query('begin');
    await client.query("select millrace.declare_start('d')");
    for (const statement of statements) await client.query(statement);
    const { rows } = await client.query("select millrace.declare_finish('d') as dropped");
    await client.query('commit');
    return rows.map(({ dropped }) => dropped);
  };
  const photos = call('d.album.photos', "'d.photo', '{album_id}'");
  const likes = call('d.album.likes', "'d.photo', '{album_id}', value => 'likes'");

  test('drop what the file declares no more, and nothing of anybody else', async () => {
    await client.query(call('d.person.photos', "'d.photo', '{owner_id}'"));
    expect(await declareFile(photos, likes)).toEqual([]);
    const before = await generated();
    expect(await declareFile(photos, likes)).toEqual([]);
    expect(await generated()).toEqual(before);
    expect(await declareFile(photos)).toEqual(['d.album.likes']);
    expect(await declareFile()).toEqual(['d.album.photos']);
    expect(await state('d.person.photos')).toBe('active');
    expect(await state('d.album.photos')).toBeUndefined();
  });

  test('an error in the file changes nothing', async () => {
    await declareFile(photos, likes);
    const before = await generated();
    await client.query('begin');
    await client.query("select millrace.declare_start('d')");
    await expectSqlState(client.query(call('d.album.nothing', "'d.photo', '{album_id}'")), 'MR002');
    await client.query('rollback');
    expect(await generated()).toEqual(before);
    expect(await declareFile(photos, likes)).toEqual([]);
  });
});

describe('declarations by several connections', () => {
  test('at once, of one table and of several, all stand and none deadlocks', async () => {
    const clients = await Promise.all([1, 2, 3, 4, 5, 6].map(() => db.connect()));
    const statements = [
      call('d.album.photos', "'d.photo', '{album_id}'"),
      call('d.album.likes', "'d.photo', '{album_id}', value => 'likes'"),
      call('d.person.photos', "'d.photo', '{owner_id}'"),
      call('d.album.small', "'d.photo', '{album_id}', distinct_on => '{owner_id}'"),
      call('d.album.photos', "'d.photo', '{album_id}'"),
      call('d.album.likes', "'d.photo', '{album_id}', value => 'likes'"),
    ];
    await Promise.all(clients.map((each, i) => each.query(statements[i]!)));
    const { rows } = await client.query(
      "select name, state from millrace.status where name like 'd.%' order by name",
    );
    expect(rows.map(({ name }) => name)).toEqual([
      'd.album.likes',
      'd.album.photos',
      'd.album.small',
      'd.person.photos',
    ]);
    await client.query('insert into d.photo (id, album_id, likes) values (30, 2, 9)');
    await checkExact(client, { expectations: [PHOTOS] });
  });

  test('a declaration waits for a writer’s transaction, then counts what it wrote', async () => {
    const writer = await db.connect();
    const declarer = await db.connect();
    await writer.query('begin');
    await writer.query('insert into d.photo (id, album_id) values (40, 1), (41, 1)');
    const declaring = declarer.query(call('d.album.photos', "'d.photo', '{album_id}'"));
    await waitUntilBlocked(client, await busyPid(declarer));
    await writer.query('commit');
    await declaring;
    await checkExact(client, { expectations: [PHOTOS] });
    await drainAll(client);
    await checkStored(client, { expectations: [PHOTOS] });
  });
});

/** The process id of a connection that is busy with a query. */
async function busyPid(busy: pg.Client): Promise<number> {
  return (busy as unknown as { processID: number }).processID;
}
