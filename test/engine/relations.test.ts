import pg from 'pg';
import { buildSchema, type GraphQLObjectType } from 'postgraphile/graphql';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { printApiSchema } from '../../scripts/lib/api-schema.ts';
import {
  backendPid,
  createTestDatabase,
  expectSqlState,
  type TestDatabase,
  waitUntilBlocked,
} from '../lib/database.ts';
import {
  CARD,
  CLEAN,
  checkLive,
  checkRows,
  declare,
  difference,
  GALLERY,
  generated,
  makeDue,
  RELATIONS,
  type Relation,
  settle,
} from './lib/relations.ts';

/*
 * Derived relations as they are declared: what a wrong declaration says, what a right one makes and
 * leaves, what its live view shows in every state, and what becomes of all that is built on it when
 * the definition or the strategy changes.
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

const ROLLBACK = 'rollback; reset role; set client_min_messages to warning';

/** Runs each test of a group in a transaction over the same tables, which is rolled back. */
function inTransaction(setup: string): void {
  beforeAll(async () => {
    await client.query(CLEAN);
    await client.query(GALLERY);
    await client.query(setup);
  });
  beforeEach(async () => {
    await client.query(ROLLBACK);
    await client.query('begin');
  });
}

/** Declares in a transaction that may not fill the relation itself: it is left to the job. */
async function declareForJob(declaration: string): Promise<void> {
  await client.query('begin isolation level repeatable read');
  await client.query(declaration);
  await client.query('commit');
}

/** Makes the tables anew for each test of a group that commits. */
function inGallery(setup = ''): void {
  beforeEach(async () => {
    await client.query(CLEAN);
    await client.query(GALLERY);
    await client.query(setup);
  });
}

const CARD_SOURCES = JSON.stringify(CARD.sources);
const CARD_DEFINITION = `create or replace view d.card_definition as ${CARD.select};`;
const DECLARE_CARD = `select millrace.materialize('d.card', 'd.card_definition', '{album_id}',
  sources => '${CARD_SOURCES}');`;

async function one<T = unknown>(sql: string, values: unknown[] = []): Promise<T> {
  const { rows } = await client.query({ text: sql, values, rowMode: 'array' });
  return rows[0]?.[0] as T;
}

async function status(name: string): Promise<Record<string, unknown>> {
  const { rows } = await client.query(
    `select state, strategy, target, pending_rows::integer, waiting_keys::integer,
       failed_keys::integer, failures, last_error
     from millrace.status where name = $1`,
    [name],
  );
  return rows[0];
}

describe('a wrong declaration', () => {
  beforeAll(async () => {
    await client.query(CLEAN);
    await client.query(GALLERY);
    await client.query(`
      ${CARD_DEFINITION}
      ${DECLARE_CARD}
      create view d.plain as select id, title, owner_id from d.album;
      create view d.simple as select id, size, raw, meta, tags, taken_at, album_id, person_id from d.photo;
      create type d.pair as (a integer, b text);
      create domain d.labels as text[];
      create view d.kinds as select id, tags as list, '{}'::d.labels as labels, meta, raw,
        row(1, 'x')::d.pair as pair, point(1, 2) as place, size as first_at, size as marks
        from d.photo;
      create table d.secret (id bigint primary key, sign text, n integer);
      create view d.secret_view as select id, n from d.secret;
      create view d.signs as select sign, count(*) as n from d.secret group by sign;
      create table d.hidden (id bigint primary key);
      alter table d.hidden force row level security;
      create view d.hidden_view as select id from d.hidden;
      create function d.slow(n bigint) returns bigint language sql stable as 'select n + 1';
      create view d.by_time as select id, taken_at < now() as is_past from d.photo;
      create view d.by_day as select id, taken_at::date = current_date as is_today from d.photo;
      create view d.by_user as select id, current_user as reader from d.photo;
      create view d.by_chance as select id, random() as n from d.photo;
      create view d.by_sample as select id from d.photo tablesample system (50);
      create view d.by_function as select id, d.slow(id) as n from d.photo;
      create view d.by_setting as select id, current_setting('work_mem') as n from d.photo;
      create view d.over_time as select id from d.by_time where is_past;
      create view d.by_place as select id, ctid::text as place from d.photo;
      create view d.by_catalog as select 1 as id, count(*) as n from pg_catalog.pg_class;
      create view d.by_live as select album_id as id from d.card_live;
      create view d.several as select album_id as id, size from d.photo where album_id is not null;
      create view d.missing as select f.id, a.id as album_id
        from d.album a left join d.photo f on f.album_id = a.id + 1000;
      create view d.placed as select id, rank() over (order by size) as place from d.photo;
      create view d.running as select id, sum(size) over (partition by album_id order by id) as n
        from d.photo;
      create view d.largest as select id, size from d.photo order by size desc limit 3;
      create view d.twice as
        with placed as (select id, album_id, row_number() over (partition by id) as n from d.photo)
        select x.id, x.n, y.n as m from placed x join placed y on y.id = x.id;
      create materialized view d.native as select id from d.photo;
      create view d.over_native as select id from d.native;
      create table d.taken (id bigint);
      create view d.taken_too as select 1 as id;
      create table d.half_live (id bigint);
      create view d.round as select album_id as id, count(*) as n from d.card group by album_id;
      select millrace.materialize('d.rounded', 'd.round', '{id}', sources => '{"d.card": "album_id"}');
    `);
  });

  const call = (target: string | null, definition: string | null, rest: string) =>
    `select millrace.materialize(${target === null ? 'null' : `'${target}'`},
      ${definition === null ? 'null' : `'${definition}'`}, ${rest})`;
  const plain = (rest: string) => call('d.x', 'd.plain', rest);
  const simple = (definition: string, mapping: string) =>
    call('d.x', definition, `'{id}', sources => '{"d.photo": ${mapping}}'`);
  const refresh = (definition: string, key = '{id}') =>
    call('d.x', definition, `'${key}', strategy => 'refresh'`);

  const WRONG: [what: string, state: string, message: RegExp, call: string][] = [
    ['a target of one part', 'MR001', /not schema\.relation/, call('x', 'd.plain', "'{id}'")],
    ['one of three', 'MR001', /not schema\.relation/, call('a.b.c', 'd.plain', "'{id}'")],
    ['one that is no name', 'MR001', /not schema\.relation/, call('a b', 'd.plain', "'{id}'")],
    ['no target', 'MR001', /not schema\.relation/, call(null, 'd.plain', "'{id}'")],
    ['a dot in its name', 'MR001', /not schema\.relation/, call('d."x.y"', 'd.plain', "'{id}'")],
    ['an unknown schema', 'MR001', /not schema\.relation/, call('nowhere.x', 'd.plain', "'{id}'")],

    ['an unknown definition', 'MR022', /There is no view/, call('d.x', 'd.nothing', "'{id}'")],
    ['no definition', 'MR022', /There is no view/, call('d.x', null, "'{id}'")],
    ['a table as one', 'MR022', /There is no view/, call('d.x', 'd.album', "'{id}'")],
    ['a materialized view', 'MR022', /There is no view/, call('d.x', 'd.native', "'{id}'")],
    ['one that is no name', 'MR022', /There is no view/, call('d.x', 'a.b.c.d', "'{id}'")],

    ['an unknown strategy', 'MR023', /no strategy/, plain("'{id}', strategy => 'eager'")],
    ['no strategy', 'MR023', /no strategy/, plain("'{id}', strategy => null")],
    [
      'sources of a refresh',
      'MR023',
      /takes no sources/,
      plain(`'{id}', strategy => 'refresh', sources => '{"d.album": "id"}'`),
    ],
    ['a negative debounce', 'MR024', /waits/, plain("'{id}', debounce => '-1 s'")],
    ['no debounce', 'MR024', /waits/, plain("'{id}', debounce => null")],
    [
      'a max_wait below debounce',
      'MR024',
      /waits/,
      plain("'{id}', debounce => '2 s', max_wait => '1 s'"),
    ],
    [
      'a duty of nothing',
      'MR024',
      /duty cycle/,
      plain("'{id}', strategy => 'refresh', max_duty => 0"),
    ],
    [
      'one over all',
      'MR024',
      /duty cycle/,
      plain("'{id}', strategy => 'refresh', max_duty => 1.5"),
    ],
    ['one for keys', 'MR024', /duty cycle/, plain(`'{id}', max_duty => 0.5, sources => '{}'`)],

    ['no key', 'MR008', /No key/, plain('null')],
    ['an empty key', 'MR008', /No key/, plain("'{}'")],
    ['a key column twice', 'MR008', /twice/, plain("'{id,id}'")],
    ['an unknown key column', 'MR002', /no column nothing/, plain("'{nothing}'")],
    ['a null in the key', 'MR002', /no column null/, plain('array[null]')],
    ['a key named like a mark', 'MR011', /uses itself/, refresh('d.kinds', '{first_at}')],
    ['… or like marks', 'MR011', /uses itself/, refresh('d.kinds', '{id,marks}')],
    ['a key of arrays', 'MR004', /type text\[\]/, refresh('d.kinds', '{list}')],
    ['… of a domain over arrays', 'MR004', /type d\.labels/, refresh('d.kinds', '{labels}')],
    ['… of jsonb', 'MR004', /type jsonb/, refresh('d.kinds', '{meta}')],
    ['… of json', 'MR004', /type json/, refresh('d.kinds', '{raw}')],
    ['… of rows', 'MR004', /type d\.pair/, refresh('d.kinds', '{pair}')],
    ['… of points', 'MR004', /type point/, refresh('d.kinds', '{place}')],

    ['a definition of the moment', 'MR026', /calls now\(\)/, refresh('d.by_time')],
    ['… of the day', 'MR026', /current moment/, refresh('d.by_day')],
    ['… of the reader', 'MR026', /current moment, user/, refresh('d.by_user')],
    ['… of chance', 'MR026', /random/, refresh('d.by_chance')],
    ['… of a sample', 'MR026', /chance/, refresh('d.by_sample')],
    ['… of a function that reads', 'MR026', /d\.slow/, refresh('d.by_function')],
    ['… of a setting', 'MR026', /current_setting/, refresh('d.by_setting')],
    ['… of the moment, in a nested view', 'MR026', /calls now\(\)/, refresh('d.over_time')],
    ['… of the place of a row', 'MR026', /system column/, refresh('d.by_place')],
    ['… of the catalog', 'MR026', /pg_class/, refresh('d.by_catalog')],

    ['no sources', 'MR027', /needs sources/, plain("'{id}'")],
    ['sources that are none', 'MR027', /needs sources/, plain(`'{id}', sources => '["d.album"]'`)],
    ['a source left out', 'MR027', /leave out d\.album/, plain(`'{id}', sources => '{}'`)],
    [
      'one too many',
      'MR027',
      /does not read d\.photo/,
      plain(`'{id}', sources => '{"d.album": "id", "d.photo": "id"}'`),
    ],
    [
      'an unknown one',
      'MR001',
      /no table/,
      plain(`'{id}', sources => '{"d.album": "id", "d.nothing": "id"}'`),
    ],
    [
      'one that is no name',
      'MR001',
      /no table/,
      plain(`'{id}', sources => '{"d.album": "id", "a.b.c.d": "id"}'`),
    ],
    [
      'one named twice',
      'MR027',
      /name d\.album twice/,
      plain(`'{id}', sources => '{"d.album": "id", "d.\\"album\\"": "owner_id"}'`),
    ],
    ['a mapping that is a number', 'MR027', /neither text/, simple('d.simple', '7')],
    ['… an object', 'MR027', /neither text/, simple('d.simple', '{}')],
    ['… of an unknown column', 'MR027', /cannot be used/, simple('d.simple', '["nothing"]')],
    ['… that does not parse', 'MR027', /cannot be used/, simple('d.simple', '"select from where"')],
    [
      '… of two statements',
      'MR027',
      /cannot be used/,
      simple('d.simple', '"select id from changed; drop table d.taken"'),
    ],
    [
      '… that reads nothing',
      'MR027',
      /does not read changed/,
      simple('d.simple', '"select 1::bigint"'),
    ],
    [
      '… of another type',
      'MR008',
      /gives numeric\(10,2\), the key is bigint/,
      simple('d.simple', '"size"'),
    ],
    [
      '… of too many columns',
      'MR008',
      /gives bigint, bigint/,
      simple('d.simple', '["id", "album_id"]'),
    ],
    [
      '… that needs a column without equality',
      'MR004',
      /raw of d\.photo has type json/,
      simple('d.simple', `"select id from changed where raw::text = '{}'"`.replaceAll("'", "''")),
    ],
    [
      '… that needs a column named like one of the log',
      'MR011',
      /sign of d\.secret/,
      call('d.x', 'd.signs', `'{sign}', sources => '{"d.secret": "sign"}'`),
    ],
    [
      'a source that hides its rows',
      'MR016',
      /forced on d\.hidden/,
      call('d.x', 'd.hidden_view', `'{id}', sources => '{"d.hidden": "id"}'`),
    ],
    [
      'a materialized view as a source',
      'MR027',
      /reads the materialized view d\.native/,
      call('d.x', 'd.over_native', `'{id}', sources => '{"d.native": "id"}'`),
    ],
    ['a live view as a source', 'MR027', /belongs to the engine/, refresh('d.by_live')],

    ['several rows for a key', 'MR028', /do not fit the key/, simple('d.several', '"album_id"')],
    ['… in a refresh', 'MR028', /do not fit the key/, refresh('d.several')],
    [
      'no value for a key',
      'MR028',
      /do not fit the key/,
      call('d.x', 'd.missing', `'{id}', sources => '{"d.photo": "id", "d.album": null}'`),
    ],
    ['a window over all rows', 'MR029', /depend on the rows of other/, simple('d.placed', '"id"')],
    ['… over those of other keys', 'MR029', /depend on the rows/, simple('d.running', '"id"')],
    ['a limit over all rows', 'MR029', /depend on the rows/, simple('d.largest', '"id"')],
    ['a window that no key gets into', 'MR029', /depend on the rows/, simple('d.twice', '"id"')],

    [
      'a name that is a table',
      'MR025',
      /exists already/,
      call('d.taken', 'd.simple', "'{id}', strategy => 'refresh'"),
    ],
    [
      '… a view',
      'MR025',
      /exists already/,
      call('d.taken_too', 'd.simple', "'{id}', strategy => 'refresh'"),
    ],
    [
      '… whose live view is a table',
      'MR025',
      /d\.half_live exists already/,
      call('d.half', 'd.simple', `'{id}', sources => '{"d.photo": "id"}'`),
    ],
    [
      'a relation derived from itself',
      'MR010',
      /d\.card would be derived from itself/,
      call('d.card', 'd.round', `'{id}', sources => '{"d.card": "album_id"}'`),
    ],
    [
      '… by way of another',
      'MR010',
      /d\.card reads d\.rounded reads d\.card/,
      `create or replace view d.way as select id as album_id from d.rounded;
       ${call('d.card', 'd.way', `'{album_id}', sources => '{"d.rounded": "id"}'`)}`,
    ],
    [
      'another strategy for what is read',
      'MR031',
      /read by other derivations/,
      call('d.card', 'd.card_definition', "'{album_id}', strategy => 'refresh'"),
    ],
    [
      'a drop of what is read',
      'MR031',
      /read by other derivations/,
      "select millrace.drop('d.card')",
    ],
    ['a run of an unknown one', 'MR012', /no derivation/, "select millrace.run_now('d.nothing')"],
  ];

  test.each(WRONG)('%s is %s and leaves nothing behind', async (_, state, message, statement) => {
    await client.query(ROLLBACK);
    const before = await generated(client);
    await client.query('begin');
    const error = await expectSqlState(client.query(statement), state);
    expect(`${error.message} ${error.detail}`).toMatch(message);
    expect(error.hint, 'a hint').toMatch(/\S/);
    expect(error.detail, 'a detail').toMatch(/\S/);
    await client.query('rollback');
    expect(await generated(client)).toEqual(before);
    // … nor was it only the transaction that kept it from being made.
    await expectSqlState(client.query(statement), state);
    await client.query('drop view if exists d.way');
    expect(await generated(client)).toEqual(before);
  });

  test('by somebody who does not own the engine is MR014', async () => {
    await client.query(ROLLBACK);
    await client.query('begin');
    await client.query(`grant usage on schema millrace, d to app_operator;
      grant execute on all functions in schema millrace to app_operator;
      set local role app_operator`);
    await expectSqlState(client.query(plain(`'{id}', sources => '{"d.album": "id"}'`)), 'MR014');
    await client.query('rollback');
  });

  test('a virtual generated column that the definition reads is MR004', async () => {
    await client.query(ROLLBACK);
    if ((await one<number>("select current_setting('server_version_num')::integer")) < 180000) {
      return;
    }
    await client.query('begin');
    await client.query(`
      create table d.virtual (id bigint primary key, a integer, b integer generated always as (a * 2));
      create view d.virtual_view as select id, b from d.virtual`);
    await expectSqlState(
      client.query(call('d.x', 'd.virtual_view', `'{id}', sources => '{"d.virtual": "id"}'`)),
      'MR004',
    );
    await client.query('rollback');
  });

  type Warning = { message?: string; detail?: string };

  /** What statements warn of, in a transaction that is rolled back. */
  async function warningsOf(...statements: string[]): Promise<Warning[]> {
    await client.query(ROLLBACK);
    await client.query('begin');
    const warnings: Warning[] = [];
    const listen = (notice: Warning) => warnings.push(notice);
    client.on('notice', listen);
    for (const statement of statements) await client.query(statement);
    client.off('notice', listen);
    await client.query('rollback');
    return warnings;
  }

  test('a common table expression that each run works out as a whole is warned of', async () => {
    const warnings = await warningsOf(
      `create view d.whole as
        with sizes as (select album_id, sum(size) as n from d.photo group by album_id)
        select a.id, x.n, y.n as m from d.album a
        left join sizes x on x.album_id = a.id left join sizes y on y.album_id = a.id`,
      call('d.x', 'd.whole', `'{id}', sources => '{"d.album": "id", "d.photo": "album_id"}'`),
    );
    expect(warnings).toMatchObject([
      { message: expect.stringMatching(/common table expression as a whole/) },
    ]);
  });

  describe('a key of columns of several tables', () => {
    const BY_PERSON = `from changed c join d.person n on n.id = c.person_id`;
    const BY_PHOTO = `from changed c join d.photo p on p.person_id = c.id`;
    const declared = (first: string, second: string, name = 'd.x') => [
      `create view d.of_both as
        select ${first} as a, ${second} as b, count(*) as n
        from d.photo p join d.person n on n.id = p.person_id
        where p.album_id is not null group by 1, 2`,
      call(
        name,
        'd.of_both',
        `'{a,b}', sources => jsonb_build_object(
          'd.photo', $$select ${first.replace('p.', 'c.')}, ${second.replace('p.', 'c.')} ${BY_PERSON}$$,
          'd.person', $$select ${first.replace('n.', 'c.')}, ${second.replace('n.', 'c.')} ${BY_PHOTO}$$)`,
      ),
    ];

    test('is warned of', async () => {
      expect(await warningsOf(...declared('p.album_id', 'n.email'))).toMatchObject([
        {
          message: expect.stringMatching(/The key of d\.of_both is made of rows of several tables/),
          detail: expect.stringMatching(/^album_id of d\.photo, email of d\.person: /),
        },
      ]);
    });

    test.each([
      ['one table', 'p.album_id', 'p.caption'],
      ['another and its primary key', 'p.album_id', 'n.id'],
      ['what is worked out', 'p.album_id', "n.email || ''"],
    ])('is not, where they are of %s', async (_, first, second) => {
      expect(await warningsOf(...declared(first, second))).toEqual([]);
    });

    test('is lost where both change before one drain, until a reconcile', async () => {
      await client.query(ROLLBACK);
      await client.query('begin');
      for (const statement of declared('p.album_id', 'n.email', 'd.both')) {
        await client.query(statement);
      }
      await client.query(`update d.photo set album_id = 3 where id = 1;
        update d.person set email = 'new@x' where id = 1`);
      const stale = `select count(*)::integer from (
        select a, b, n from d.both except select a, b, n from d.of_both) x`;
      await client.query('select millrace.drain()');
      await makeDue(client, 'd.both');
      await client.query(`select millrace.recompute_batch(d.id) from millrace.derivation d
        where d.name = 'd.both'`);
      expect(await one(stale)).toBe(1);
      await client.query(`select millrace.reconcile('d.both', true)`);
      expect(await one(stale)).toBe(0);
      await client.query('rollback');
    });
  });
});

describe('a declaration', () => {
  inTransaction(`${CARD_DEFINITION} grant usage on schema d to app_account, app_moderator`);

  test.each(['table', 'view'])(
    'leaves a temporary %s changed of the caller alone',
    async (kind) => {
      for (const name of ['changed', 'declared_mapping']) {
        await client.query(`create temporary ${kind} ${name} as select '${name}' as name`);
      }
      await client.query(DECLARE_CARD);
      await checkRows(client, CARD);
      for (const name of ['changed', 'declared_mapping']) {
        expect(await one(`select name from pg_temp.${name}`)).toBe(name);
      }
    },
  );

  test('makes a table with the key as its primary key, filled, and its live view', async () => {
    await client.query(DECLARE_CARD);
    await checkRows(client, CARD);
    await checkLive(client, CARD);
    const { rows } = await client.query(`
      select a.attname as name, format_type(a.atttypid, a.atttypmod) as type, a.attnotnull as key
      from pg_attribute a
      where a.attrelid = 'd.card'::regclass and a.attnum > 0 order by a.attnum`);
    expect(rows).toEqual([
      { name: 'album_id', type: 'bigint', key: true },
      { name: 'title', type: 'text', key: false },
      { name: 'owner_name', type: 'text', key: false },
      { name: 'owner_id', type: 'bigint', key: false },
      { name: 'photos', type: 'bigint', key: false },
      { name: 'big_size', type: 'numeric', key: false },
      { name: 'last_at', type: 'timestamp with time zone', key: false },
    ]);
    expect(
      await one(`select pg_get_constraintdef(oid) from pg_constraint
        where conrelid = 'd.card'::regclass and contype = 'p'`),
    ).toBe('PRIMARY KEY (album_id)');
    expect(await status('d.card')).toEqual({
      state: 'active',
      strategy: 'incremental',
      target: 'd.card',
      pending_rows: 0,
      waiting_keys: 0,
      failed_keys: 0,
      failures: 0,
      last_error: null,
    });
  });

  test('belongs to the engine’s owner, and nobody else may read or write it', async () => {
    await client.query(DECLARE_CARD);
    const { rows } = await client.query(`
      select relname, pg_get_userbyid(relowner) as owner, relacl
      from pg_class where oid in ('d.card'::regclass, 'd.card_live'::regclass)`);
    expect(rows).toEqual([
      { relname: 'card', owner: 'app_owner', relacl: null },
      { relname: 'card_live', owner: 'app_owner', relacl: null },
    ]);
    await client.query('grant select on d.card to app_account');
    await client.query(DECLARE_CARD);
    for (const statement of [
      "update d.card set title = 'x'",
      'insert into d.card (album_id) values (99)',
      'delete from d.card',
      'truncate d.card',
      "select millrace.run_now('d.card')",
      'table millrace_log.d__card__exact',
      'table millrace_log.d__card__work',
      'call millrace.recompute(\'{"name": "d.card"}\')',
    ]) {
      await client.query('savepoint attempt; set local role app_account');
      await expectSqlState(client.query(statement), '42501');
      await client.query('rollback to savepoint attempt');
    }
    await expectSqlState(client.query("update d.card_live set title = 'x'"), '55000');
  });

  test('run again changes nothing, and only notes other waits', async () => {
    await client.query(DECLARE_CARD);
    await client.query('create index title_idx on d.card (title)');
    const before = await generated(client);
    const xmins = () =>
      client.query(`select attrelid, attname, xmin::text from pg_attribute
        where attrelid in ('d.card'::regclass, 'd.card_live'::regclass) union all
        select oid, relname, xmin::text from pg_class where oid in (
          'd.card'::regclass, 'd.card_live'::regclass, 'millrace_log.d__card__exact'::regclass)
        order by 1, 2`);
    const identity = (await xmins()).rows;
    await client.query('update d.album set title = $$other$$ where id = 1');
    await client.query('select millrace.drain()');
    await client.query(DECLARE_CARD);
    await client.query(
      DECLARE_CARD.replace(')', ", debounce => '3 s', max_wait => '9 s', notify => true)"),
    );
    expect(await generated(client)).toEqual(before);
    expect((await xmins()).rows).toEqual(identity);
    expect((await status('d.card')).waiting_keys, 'what waits still waits').toBe(1);
    const { rows } = await client.query(
      "select debounce, max_wait, notifies from millrace.derivation where name = 'd.card'",
    );
    expect(rows).toEqual([{ debounce: { seconds: 3 }, max_wait: { seconds: 9 }, notifies: true }]);
  });

  test('rolled back leaves nothing, dropped leaves nothing', async () => {
    const before = await generated(client);
    await client.query('savepoint before');
    await client.query(DECLARE_CARD);
    expect(await generated(client)).not.toEqual(before);
    await client.query('rollback to savepoint before');
    expect(await generated(client)).toEqual(before);
    await client.query(DECLARE_CARD);
    await client.query("select millrace.drop('d.card')");
    expect(await generated(client)).toEqual(before);
  });

  test('dropped with its relation kept leaves an ordinary table', async () => {
    await client.query(DECLARE_CARD);
    await client.query(`comment on table d.card is 'Cards.';
      create view d.built as select title from d.card`);
    await client.query("select millrace.drop('d.card', keep_relation => true)");
    expect(await one('select count(*)::integer from d.built')).toBe(10);
    expect(await one("select obj_description('d.card'::regclass)")).toBe('Cards.');
    expect(await one("select to_regclass('d.card_live')")).toBeNull();
    const left = (await generated(client)) as { name: string }[];
    expect(left.filter(({ name }) => name.startsWith('millrace_log'))).toEqual([]);
    // Its name is taken now.
    await expectSqlState(client.query(DECLARE_CARD), 'MR025');
  });

  test('is refused a drop while others are built on it, and stays whole', async () => {
    await client.query(`${DECLARE_CARD} create view d.built as select title from d.card`);
    const before = await generated(client);
    await client.query('savepoint before');
    const error = await expectSqlState(client.query("select millrace.drop('d.card')"), 'MR031');
    expect(error.detail).toMatch(/view d\.built/);
    await client.query('rollback to savepoint before');
    expect(await generated(client)).toEqual(before);
    await checkLive(client, CARD);
  });

  test('is forgotten when a table that it reads goes, and does not hold up drains', async () => {
    await client.query(`${DECLARE_CARD}
      create view d.built as select title from d.card;
      select millrace.counter('d.album.photos', 'd.photo', '{album_id}');
      drop table d.person cascade;
      update d.album set title = 'x'; delete from d.photo where id = 1;
      select millrace.drain()`);
    expect(await status('d.card')).toBeUndefined();
    expect(await one('select count(*)::integer from d.built')).toBe(10);
    expect(await status('d.album.photos')).toMatchObject({ state: 'active', pending_rows: 0 });
  });

  test('makes its relation again where somebody has dropped it', async () => {
    await client.query(`${DECLARE_CARD} drop table d.card cascade; ${DECLARE_CARD}`);
    await checkRows(client, CARD);
    await checkLive(client, CARD);
  });

  test('keeps Postgres from dropping a column that it needs', async () => {
    await client.query(DECLARE_CARD);
    await client.query('savepoint before');
    await client.query('drop view d.card_definition');
    await expectSqlState(client.query('alter table d.photo drop column size'), '2BP01');
    await client.query('rollback to savepoint before');
  });

  test('keeps long names apart', async () => {
    const long = 'a_relation_whose_name_takes_all_of_the_63_bytes_that_there_are_';
    expect(long).toHaveLength(63);
    const names = [`${long.slice(0, 62)}x`, `${long.slice(0, 62)}y`];
    for (const name of names) {
      await client.query(
        `select millrace.materialize('d.${name}', 'd.card_definition', '{album_id}',
           sources => '${CARD_SOURCES}')`,
      );
    }
    await client.query("update d.album set title = 'x' where id = 1");
    for (const name of names) {
      expect(await one(`select title from d.${name} where album_id = 1`)).toBe('t1');
      const live = await one<string>('select (millrace.relation_names($1)).live', [`d.${name}`]);
      expect(await one(`select title from ${live} where album_id = 1`)).toBe('x');
      await client.query('select millrace.run_now($1)', [`d.${name}`]);
      expect(await one(`select title from d.${name} where album_id = 1`)).toBe('x');
    }
  });

  test('by a superuser is handed over to the engine’s owner', async () => {
    const superuser = new pg.Client({ connectionString: db.connectionString });
    await superuser.connect();
    try {
      await superuser.query('begin');
      await superuser.query(DECLARE_CARD);
      const { rows } = await superuser.query(`
        select c.oid::regclass::text as name from pg_class c
        where pg_get_userbyid(c.relowner) <> 'app_owner' and (
          c.relnamespace = 'millrace_log'::regnamespace or c.oid in (
            'd.card'::regclass, 'd.card_live'::regclass))`);
      expect(rows).toEqual([]);
      await superuser.query('rollback');
    } finally {
      await superuser.end();
    }
  });

  test('shows all of its SQL, which Postgres accepts', async () => {
    await client.query(DECLARE_CARD);
    const sql = await one<string>("select millrace.explain('d.card')");
    for (const part of [
      'create trigger _900_millrace_insert after insert on d.photo',
      'create view millrace_log.d__card__definition',
      'create or replace view d.card_live',
      '-- recompute',
      '-- reconcile',
    ]) {
      expect(sql).toContain(part);
    }
    const views = [...sql.matchAll(/create (?:or replace )?view ([\w.]+)[\s\S]*?;/g)];
    expect(views).toHaveLength(4);
    await client.query(
      'drop view d.card_live, millrace_log.d__card__exact, millrace_log.d__card__dirty',
    );
    await client.query('drop view millrace_log.d__card__definition');
    for (const [statement] of views) await client.query(statement);
    await checkLive(client, CARD);
  });

  test.each(RELATIONS.map((relation) => [relation.target, relation] as const))(
    'makes %s, by either strategy',
    async (_, relation) => {
      await declare(client, relation);
      await checkRows(client, relation);
      await checkLive(client, relation);
      await declare(client, relation, '', 'refresh');
      await checkRows(client, relation);
      await declare(client, relation);
      await checkRows(client, relation);
      await checkLive(client, relation);
      const { rows } = await client.query('select * from millrace.reconcile($1)', [
        relation.target.replaceAll('"', ''),
      ]);
      expect(rows).toMatchObject([{ keys_drifted: '0', cause: null }]);
      expect(Number(rows[0]?.keys_checked)).toBeGreaterThan(0);
    },
  );
});

describe('a file of declarations', () => {
  inTransaction(`${CARD_DEFINITION} grant usage on schema d to app_account`);

  const file = async (...statements: string[]) => {
    await client.query("select millrace.declare_start('d')");
    for (const statement of statements) await client.query(statement);
    const { rows } = await client.query("select millrace.declare_finish('d') as dropped");
    return rows.map(({ dropped }) => dropped);
  };
  const rounded = `create or replace view d.round as
      select owner_id as id, count(*) as n from d.card where owner_id is not null group by owner_id;
    select millrace.materialize('d.rounded', 'd.round', '{id}', sources => '{"d.card": "owner_id"}');`;
  const reaction = `select millrace.react('r_photo', 'd.photo', '{album_id}', 'look');`;

  test('drops what it declares no more, the last first', async () => {
    expect(await file(DECLARE_CARD, rounded, reaction)).toEqual([]);
    const before = await generated(client);
    expect(await file(DECLARE_CARD, rounded, reaction)).toEqual([]);
    expect(await generated(client)).toEqual(before);
    await client.query('drop view d.round');
    expect(await file(DECLARE_CARD)).toEqual(['r_photo', 'd.rounded']);
    expect(await file()).toEqual(['d.card']);
    expect(await one("select to_regclass('d.card')")).toBeNull();
  });

  test('gives the live view the grants and policies that are written after it', async () => {
    await file(
      DECLARE_CARD,
      `grant select on d.card to app_account;
       alter table d.card enable row level security;
       drop policy if exists owned on d.card;
       create policy owned on d.card for select using (owner_id = 1)`,
    );
    await client.query('set local role app_account');
    expect(await one('select array_agg(distinct owner_id)::text from d.card')).toBe('{1}');
    expect(await one('select array_agg(distinct owner_id)::text from d.card_live')).toBe('{1}');
  });

  test('keeps a paused relation paused', async () => {
    await file(DECLARE_CARD);
    await client.query("select millrace.pause('d.card')");
    await file(DECLARE_CARD);
    expect(await status('d.card')).toMatchObject({ state: 'paused' });
  });
});

describe('the live view', () => {
  inTransaction(`${CARD_DEFINITION} ${DECLARE_CARD}`);

  /** By all, by the key, and by the key of a row that is not there. */
  const exact = async () => {
    await checkLive(client, CARD);
    for (const key of [1, 3, 999]) await checkLive(client, CARD, `album_id = ${key}`);
    await checkLive(client, CARD, "album_id > 2 and title like 't%'");
  };
  const change = (title: string) =>
    client.query(`
      update d.album set title = '${title}' where id = 1;
      update d.photo set album_id = 3 where album_id = 2;
      update d.person set name = name || '!' where id = 1;
      delete from d.album where id = 10;
      insert into d.album (id, owner_id, title) values (999, 1, '${title}')
        on conflict (id) do update set title = excluded.title`);

  test('is exact while nothing waits', exact);

  test('is exact while changes are pending, marked and recomputed', async () => {
    await change('pending');
    expect(await one('select title from d.card where album_id = 1')).toBe('t1');
    await exact();
    await client.query('select millrace.drain()');
    expect((await status('d.card')).waiting_keys).toBeGreaterThan(3);
    await exact();
    await change('both');
    await exact();
    await client.query("select millrace.run_now('d.card')");
    await exact();
    await checkRows(client, CARD);
    expect(await status('d.card')).toMatchObject({ pending_rows: 0, waiting_keys: 0 });
  });

  test('is exact while a part of a batch is recomputed', async () => {
    await change('x');
    await client.query('select millrace.drain()');
    const waiting = (await status('d.card')).waiting_keys as number;
    await client.query(`select millrace.recompute_batch(id, size => 2, everything => true)
      from millrace.derivation where name = 'd.card'`);
    expect((await status('d.card')).waiting_keys).toBe(waiting - 2);
    await exact();
  });

  test('is exact while it is paused, and right again when it is resumed', async () => {
    await client.query("select millrace.pause('d.card')");
    await change('paused');
    await client.query('select millrace.drain()');
    await exact();
    expect((await status('d.card')).waiting_keys, 'nothing is told').toBe(0);
    await expectSqlState(
      (async () => {
        await client.query('savepoint attempt');
        await client.query("select millrace.run_now('d.card')");
      })(),
      'MR015',
    );
    await client.query('rollback to savepoint attempt');
    await client.query("select millrace.resume('d.card')");
    expect(await status('d.card')).toMatchObject({ state: 'active' });
    await exact();
    await checkRows(client, CARD);
  });

  test('is exact while it has failed, and right again after the next run', async () => {
    await client.query('select millrace.lock_engine()');
    await client.query("select millrace.fail('d.card', 'a test')");
    await change('failed');
    await client.query('select millrace.drain()');
    await exact();
    expect(await status('d.card')).toMatchObject({ state: 'failed', last_error: 'a test' });
    await client.query("select millrace.run_now('d.card')");
    expect(await status('d.card')).toMatchObject({ state: 'active', last_error: null });
    await exact();
    await checkRows(client, CARD);
  });

  test('is exact while it is populated', async () => {
    await client.query("update millrace.derivation set state = 'backfilling', kept = false");
    await change('backfilling');
    await client.query('select millrace.drain()');
    await exact();
    await client.query(`select millrace.recompute_batch(id) from millrace.derivation
      where name = 'd.card'`);
    await exact();
    expect(await status('d.card')).toMatchObject({ state: 'active' });
  });

  test('is exact by a part of a composite key', async () => {
    const ranking = RELATIONS.find(({ target }) => target === 'd.ranking') as Relation;
    await declare(client, ranking);
    for (const step of [
      'update d.photo set size = 99 where id = 20',
      'select millrace.drain()',
      'update d.photo set album_id = 2 where album_id = 4',
      'delete from d.photo where album_id = 5',
      "select millrace.run_now('d.ranking')",
    ]) {
      await client.query(step);
      for (const key of [1, 2, 4, 5]) await checkLive(client, ranking, `album_id = ${key}`);
    }
  });

  test('gives what the definition gives: nobody waits for a key that raises an error', async () => {
    await client.query(`
      create view d.share_definition as
        select id, 100 / (size::integer - 3) as share from d.photo where size is not null;
      update d.photo set size = 50;
      select millrace.materialize('d.share', 'd.share_definition', '{id}',
        sources => '{"d.photo": "id"}');
      update d.photo set size = 3 where id = 7;
      update d.photo set size = 4 where id = 8`);
    const { rows } = await client.query("select millrace.run_now('d.share') as run");
    expect(rows[0].run).toMatchObject({ state: 'active' });
    expect(await one('select share from d.share where id = 8')).toBe(100);
    expect(await one('select share from d.share where id = 7'), 'the row before').toBe(2);
    expect(await one('select share from d.share_live where id = 8')).toBe(100);
    expect(await status('d.share')).toMatchObject({
      failed_keys: 1,
      waiting_keys: 1,
      last_error: '22012: division by zero',
    });
    const { rows: queue } = await client.query(
      "select key, failures, last_error, due_at > clock_timestamp() as later from millrace.refresh_queue where name = 'd.share'",
    );
    expect(queue).toEqual([
      { key: [7], failures: 1, last_error: '22012: division by zero', later: true },
    ]);
    await client.query('savepoint attempt');
    await expectSqlState(client.query('select share from d.share_live where id = 7'), '22012');
    await client.query('rollback to savepoint attempt');

    await client.query(
      "update d.photo set size = 5 where id = 7; select millrace.run_now('d.share')",
    );
    expect(await one('select share from d.share where id = 7')).toBe(50);
    expect(await status('d.share')).toMatchObject({
      failed_keys: 0,
      waiting_keys: 0,
      last_error: null,
    });
  });

  test('of a key that failed is computed again soon after the key has changed', async () => {
    await client.query(`
      create view d.share_definition as
        select id, 100 / (size::integer - 3) as share from d.photo where size is not null;
      update d.photo set size = 50;
      select millrace.materialize('d.share', 'd.share_definition', '{id}',
        sources => '{"d.photo": "id"}', debounce => '0', max_wait => '0');
      update d.photo set size = 3 where id = 7;
      select millrace.run_now('d.share');
      update millrace.failed_key set last_error_at = clock_timestamp() - interval '20 seconds',
        retry_at = clock_timestamp() + interval '40 minutes';
      update millrace_log.d__share__work set marked_at = clock_timestamp() - interval '21 seconds'`);
    const due = () =>
      one<boolean>(`select due_at <= clock_timestamp() from millrace.refresh_queue
        where name = 'd.share'`);
    const recompute = () =>
      client.query(`select millrace.recompute_batch(d.id) from millrace.derivation d
        where d.name = 'd.share'`);
    expect(await due(), 'it waits').toBe(false);
    await recompute();
    expect(await one('select share from d.share where id = 7')).toBe(2);
    await client.query('update d.photo set size = 5 where id = 7; select millrace.drain()');
    expect(await due(), 'it has changed').toBe(true);
    await recompute();
    expect(await one('select share from d.share where id = 7')).toBe(50);
    expect(await status('d.share')).toMatchObject({ failed_keys: 0, waiting_keys: 0 });
  });

  test('is exact while a mapping raises an error, and others go on', async () => {
    await client.query(`
      create view d.mapped_definition as select id, size from d.photo;
      select millrace.materialize('d.mapped', 'd.mapped_definition', '{id}', sources =>
        '{"d.photo": "select (id * 7 / (7 - coalesce(size, 0))::integer - id * 7 / (7 - coalesce(size, 0))::integer + id) from changed"}');
      update d.photo set size = 7 where id = 9;
      update d.album set title = 'x' where id = 1;
      select millrace.drain()`);
    expect(await status('d.mapped')).toMatchObject({
      state: 'failed',
      last_error: '22012: division by zero',
    });
    expect(await one('select size::text from d.mapped_live where id = 9')).toBe('7.00');
    expect((await status('d.card')).waiting_keys).toBeGreaterThan(0);
    await client.query("select millrace.run_now('d.mapped')");
    expect(await one('select size::text from d.mapped where id = 9')).toBe('7.00');
    expect(await status('d.mapped')).toMatchObject({ state: 'active' });
  });
});

describe('values', () => {
  inTransaction('');

  test('that are equal but not the same are written as the definition writes them', async () => {
    await client.query(`
      create view d.sizes_definition as
        select round(size, 3) as size, count(*) as n from d.photo
        where size is not null group by 1;
      select millrace.materialize('d.sizes', 'd.sizes_definition', '{size}',
        sources => '{"d.photo": "select size::numeric from changed"}');
      insert into d.photo (id, size) values (100, 7.10), (101, 7.1);
      select millrace.run_now('d.sizes')`);
    expect(await one('select size::text from d.sizes where size = 7.1')).toBe('7.100');
    const { rows } = await client.query(
      "select keys_drifted::integer from millrace.reconcile('d.sizes')",
    );
    expect(rows).toEqual([{ keys_drifted: 0 }]);
  });

  test('of a collation in which other spellings are equal are one key', async () => {
    await client.query(`
      create collation d.caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
      create table d.word (id bigint primary key, word text collate d.caseless not null);
      insert into d.word values (1, 'a'), (2, 'A'), (3, 'b');
      create view d.words_definition as select word, count(*) as n from d.word group by word;
      select millrace.materialize('d.words', 'd.words_definition', '{word}',
        sources => '{"d.word": "word"}');
      insert into d.word values (4, 'B');
      select millrace.drain();
      insert into d.word values (5, 'b'), (6, 'c');
      select millrace.drain()`);
    const counts = async (relation: string) =>
      (await client.query(`select lower(word) as word, n::integer from ${relation} order by 1`))
        .rows;
    const expected = [
      { word: 'a', n: 2 },
      { word: 'b', n: 3 },
      { word: 'c', n: 1 },
    ];
    expect(await counts('d.words_live')).toEqual(expected);
    await client.query("select millrace.run_now('d.words')");
    expect(await counts('d.words')).toEqual(expected);
    expect(await status('d.words')).toMatchObject({ failed_keys: 0, waiting_keys: 0 });
  });

  test('in columns with the names that generated SQL uses itself', async () => {
    const odd: Relation = {
      target: 'd.letters',
      select: `select id as b, id as t, size as f, id as x, id as d, id as w, id as e, id as key,
        id as stored, id as fresh, id as differs, id as changed, id as kept, id as place from d.photo`,
      key: ['key'],
      sources: { 'd.photo': 'id' },
    };
    await declare(client, odd);
    await client.query('update d.photo set size = size + 1; delete from d.photo where id = 3');
    await checkLive(client, odd);
    await client.query("select millrace.run_now('d.letters')");
    await checkRows(client, odd);
    await declare(client, odd, '', 'refresh');
    const { rows } = await client.query(
      "select keys_drifted::integer, keys_checked::integer > 0 as checked from millrace.reconcile('d.letters')",
    );
    expect(rows).toEqual([{ keys_drifted: 0, checked: true }]);
  });
});

/** The definition of cards with other columns. */
const cards = (columns: string, group = 'a.id, p.name') => `
  drop view if exists d.card_definition;
  create view d.card_definition as
    select ${columns}
    from d.album a
    left join d.person p on p.id = a.owner_id
    left join d.photo f on f.album_id = a.id
    group by ${group};
  ${DECLARE_CARD}`;

describe('a changed definition', () => {
  inTransaction(`${CARD_DEFINITION}
    grant usage on schema d to app_account, app_moderator;
    ${DECLARE_CARD}
    create index title_idx on d.card (title) where photos > 1;
    create unique index an_index_with_a_name_of_sixty_bytes_that_leaves_no_room_at_all
      on d.card (owner_name, album_id);
    grant select on d.card to app_account with grant option;
    grant select (album_id, title) on d.card to app_moderator;
    comment on table d.card is 'Cards of albums.';
    comment on column d.card.title is E'@behavior -orderBy\\nWhat it is called.';
    alter table d.card enable row level security;
    create policy owned on d.card for select to app_account using (owner_id < 3);
    create policy named on d.card as restrictive for select using (title is not null);
    ${DECLARE_CARD}`);

  const built = async () => ({
    oid: await one<string>("select 'd.card'::regclass::oid::text"),
    indexes: (
      await client.query(
        `select indexname as name from pg_indexes
         where schemaname = 'd' and tablename = 'card' order by 1`,
      )
    ).rows.map(({ name }) => name),
    grants: (
      await client.query(`select relacl::text as acl from pg_class where oid = 'd.card'::regclass`)
    ).rows[0].acl.replace(/app_owner=\w+\/app_owner,?/, ''),
    columnGrants: (
      await client.query(
        `select attname as name from pg_attribute
         where attrelid = 'd.card'::regclass and attacl is not null and not attisdropped
         order by 1`,
      )
    ).rows.map(({ name }) => name),
    policies: (
      await client.query(
        `select polname as name, polpermissive as permissive, pg_get_expr(polqual, polrelid) as qual
         from pg_policy where polrelid = 'd.card'::regclass order by 1`,
      )
    ).rows,
    secure: await one("select relrowsecurity from pg_class where oid = 'd.card'::regclass"),
    comment: await one("select obj_description('d.card'::regclass)"),
    title: await one(`select col_description(attrelid, attnum) from pg_attribute
      where attrelid = 'd.card'::regclass and attname = 'title'`),
  });

  const check = async () => {
    await checkRows(client, CARD);
    // The owner reads the live view under its policies, too: the rows below it are all there.
    expect(await difference(client, 'millrace_log.d__card__exact', 'd.card_definition')).toEqual(
      [],
    );
    await client.query("update d.photo set size = size + 7; select millrace.run_now('d.card')");
    await checkRows(client, CARD);
    const { rows } = await client.query(
      "select keys_drifted::integer from millrace.reconcile('d.card')",
    );
    expect(rows).toEqual([{ keys_drifted: 0 }]);
    await client.query('set local role app_account');
    expect(await one('select bool_and(owner_id < 3 and title is not null) from d.card')).toBe(true);
    expect(await one('select bool_and(owner_id < 3 and title is not null) from d.card_live')).toBe(
      true,
    );
    await client.query('reset role');
  };
  const COLUMNS =
    'a.id as album_id, a.title, p.name as owner_name, a.owner_id, count(f.id) as photos';

  test('that only counts differently keeps everything', async () => {
    await client.query(`
      create view d.on_stored as select * from d.card;
      create function d.on_live(card d.card_live) returns text stable language sql
        as 'select card.title'`);
    const before = await built();
    await client.query(`create or replace view d.card_definition as
      ${CARD.select.replace('f.size > 10', 'f.size > 20')}; ${DECLARE_CARD}`);
    expect(await built()).toEqual(before);
    await check();
  });

  test('with a column more adds it, and keeps everything', async () => {
    await client.query('create view d.on_stored as select * from d.card');
    const before = await built();
    await client.query(
      cards(`${COLUMNS}, sum(f.size) filter (where f.size > 10) as big_size,
        max(f.taken_at) as last_at, min(f.size) as least, 'member'::d.level as level`),
    );
    expect(await built()).toEqual(before);
    expect(await one('select level::text from d.card limit 1')).toBe('member');
    await client.query('set local role app_account');
    expect(await one('select level::text from d.card_live limit 1')).toBe('member');
    await client.query('reset role');
    await check();
  });

  test('with a column less drops it with the indexes on it', async () => {
    const before = await built();
    await client.query(cards(COLUMNS.replace('p.name as owner_name, ', ''), 'a.id'));
    expect(await built()).toEqual({
      ...before,
      indexes: before.indexes.filter((name) => !name.startsWith('an_index')),
    });
    await check();
  });

  test('with a column of another type is swapped in, with all that was on it', async () => {
    const before = await built();
    await client.query(cards(COLUMNS.replace('count(f.id)', 'count(f.id)::integer')));
    const after = await built();
    expect(after).toEqual({ ...before, oid: after.oid });
    expect(after.oid).not.toBe(before.oid);
    await check();
  });

  test('with another key is swapped in, with all that was on it', async () => {
    const before = await built();
    await client.query(`
      create or replace view d.card_definition as ${CARD.select};
      select millrace.materialize('d.card', 'd.card_definition', '{photos,album_id}', sources => '{
        "d.album": "select count(f.id), c.id from changed c left join d.photo f on f.album_id = c.id group by c.id",
        "d.photo": "select n, c.album_id from changed c cross join generate_series(0::bigint, 50) n",
        "d.person": "select count(f.id), a.id from changed c join d.album a on a.owner_id = c.id left join d.photo f on f.album_id = a.id group by a.id"}')`);
    const after = await built();
    expect(after).toEqual({ ...before, oid: after.oid });
    expect(
      await one(`select pg_get_constraintdef(oid) from pg_constraint
      where conrelid = 'd.card'::regclass and contype = 'p'`),
    ).toBe('PRIMARY KEY (photos, album_id)');
    await check();
  });

  test.each([
    [
      'a view on a column that goes',
      'create view d.built as select owner_name from d.card',
      /view d\.built/,
    ],
    [
      'a function of the live view’s rows',
      `create function d.built(card d.card_live) returns text stable language sql
         as 'select card.title'`,
      /function d\.built/,
    ],
  ])('is refused while %s stands in its way, and nothing changes', async (_, statement, named) => {
    await client.query(statement);
    const before = await built();
    await client.query('savepoint before');
    const error = await expectSqlState(
      client.query(cards(COLUMNS.replace('p.name as owner_name, ', ''), 'a.id')),
      'MR031',
    );
    expect(error.detail).toMatch(named);
    expect(error.hint).toMatch(/Drop what is built on it/);
    await client.query('rollback to savepoint before');
    expect(await built()).toEqual(before);
    await check();
  });

  test('that has several rows for a key is MR028, and the old one stays', async () => {
    await client.query('savepoint before');
    await expectSqlState(client.query(cards(COLUMNS.replace('a.id as', 'a.id / 2 as'))), 'MR028');
    await client.query('rollback to savepoint before');
    await check();
  });

  test('by the other strategy, and back, keeps indexes, grants and comments', async () => {
    await client.query(`
      drop policy owned on d.card; drop policy named on d.card;
      alter table d.card disable row level security`);
    const before = await built();
    await client.query(
      "select millrace.materialize('d.card', 'd.card_definition', '{album_id}', strategy => 'refresh')",
    );
    const refreshed = await built();
    expect(await one("select relkind from pg_class where oid = 'd.card'::regclass")).toBe('m');
    expect(refreshed).toEqual({
      ...before,
      oid: refreshed.oid,
      grants: expect.stringMatching(/app_account=r\*/),
      indexes: expect.arrayContaining(['card_album_id_idx', 'title_idx']),
      comment: expect.stringMatching(/@primaryKey album_id[\s\S]*Cards of albums\./),
    });
    expect(await one("select to_regclass('d.card_live')")).toBeNull();
    await checkRows(client, CARD);
    await client.query(DECLARE_CARD);
    const back = await built();
    expect(back).toEqual({ ...before, oid: back.oid });
    await checkRows(client, CARD);
    await checkLive(client, CARD);
  });

  test('by refresh is refused where row level security would be lost', async () => {
    const error = await expectSqlState(
      client.query(
        "select millrace.materialize('d.card', 'd.card_definition', '{album_id}', strategy => 'refresh')",
      ),
      'MR023',
    );
    expect(error.message).toMatch(/row level security/);
  });
});

describe('row level security', () => {
  inTransaction(`${CARD_DEFINITION}
    grant usage on schema d to app_account, app_anonymous, app_moderator;
    ${DECLARE_CARD}
    create table d.member (album_id bigint, who text);
    insert into d.member values (1, 'app_account'), (2, 'app_moderator'), (3, 'app_account');
    grant select on d.member to app_account, app_moderator;
    grant select on d.card to app_account, app_anonymous, app_moderator;
    alter table d.card enable row level security;`);

  /** What each role sees of the table and of the live view, before and after a change. */
  const same = async (policies: string) => {
    await client.query(`${policies}; ${DECLARE_CARD}`);
    const seen: Record<string, string> = {};
    for (const change of [
      '',
      "update d.album set title = title || '!', owner_id = 1 where id < 4",
    ]) {
      if (change !== '') await client.query(change);
      for (const role of ['app_account', 'app_anonymous', 'app_moderator']) {
        if (change !== '') await client.query("select millrace.run_now('d.card')");
        await client.query(`set local role ${role}`);
        const ids = (relation: string) =>
          one<string>(
            `select coalesce(array_agg(album_id order by album_id), '{}')::text from ${relation}`,
          );
        const stored = await ids('d.card');
        expect(await ids('d.card_live'), `${role} ${change}`).toBe(stored);
        for (const id of [1, 2, 5]) {
          expect(await ids(`d.card_live where album_id = ${id}`)).toBe(
            stored.replace(/[{}]/g, '').split(',').includes(String(id)) ? `{${id}}` : '{}',
          );
        }
        await client.query('reset role');
        if (change === '') seen[role] = stored;
      }
    }
    return seen;
  };

  test('without a policy shows nothing', async () => {
    expect(await same('select')).toEqual({
      app_account: '{}',
      app_anonymous: '{}',
      app_moderator: '{}',
    });
  });

  test('by permissive policies for some roles and for all', async () => {
    expect(
      await same(`create policy few on d.card for select using (album_id < 3);
        create policy more on d.card for select to app_account using (owner_id = 3);
        create policy writes on d.card for update using (true)`),
    ).toEqual({ app_account: '{1,2,3,8}', app_anonymous: '{1,2}', app_moderator: '{1,2}' });
  });

  test('by restrictive policies, for some roles and for all', async () => {
    expect(
      await same(`create policy everything on d.card using (true);
        create policy below on d.card as restrictive for select using (album_id < 6);
        create policy even on d.card as restrictive for select to app_moderator
          using (album_id % 2 = 0)`),
    ).toEqual({
      app_account: '{1,2,3,4,5}',
      app_anonymous: '{1,2,3,4,5}',
      app_moderator: '{2,4}',
    });
  });

  test('by policies that look into tables with policies of their own', async () => {
    expect(
      await same(`
        alter table d.member enable row level security;
        create policy own on d.member for select using (who = current_user);
        grant select on d.member to app_anonymous;
        create policy members on d.card for select to app_account, app_moderator
          using (exists (select from d.member m where m.album_id = card.album_id))`),
    ).toEqual({ app_account: '{1,3}', app_anonymous: '{}', app_moderator: '{2}' });
    // Who may not read what a policy looks into gets an error, not rows.
    await client.query('revoke select on d.member from app_anonymous');
    await client.query('savepoint attempt; set local role app_anonymous');
    await expectSqlState(client.query('table d.card_live'), '42501');
    await client.query('rollback to savepoint attempt');
    // … and who may read the exact rows through the live view cannot name them.
    await client.query('set local role app_account');
    await expectSqlState(client.query('table millrace_log.d__card__exact'), '42501');
  });

  test('is carried while a rebuild of another definition waits', async () => {
    await client.query(`create policy few on d.card for select using (album_id < 3);
      create or replace view d.card_definition as ${CARD.select.replace('f.size > 10', 'f.size > 20')};
      ${DECLARE_CARD}
      update millrace.derivation set state = 'backfilling', kept = false where name = 'd.card'`);
    await client.query('set local role app_account');
    expect(await one('select array_agg(album_id order by album_id)::text from d.card_live')).toBe(
      '{1,2}',
    );
  });

  test('hides rows from functions that tell what they are given', async () => {
    await client.query(`
      create policy few on d.card for select using (album_id < 3);
      create table d.told (id bigint);
      grant insert on d.told to app_account;
      create function d.tell(id bigint) returns boolean language plpgsql volatile cost 0.0001
        as 'begin insert into d.told values (id); return true; end';
      grant execute on function d.tell to app_account;
      ${DECLARE_CARD}`);
    await client.query('set local role app_account');
    await client.query('select from d.card_live where d.tell(album_id)');
    await client.query('reset role');
    expect(await one('select array_agg(id order by id)::text from d.told')).toBe('{1,2}');
  });

  test('grants of single columns are carried, and taken back', async () => {
    await client.query(`
      alter table d.card disable row level security;
      revoke select on d.card from app_account, app_anonymous;
      grant select (album_id, title) on d.card to app_account;
      ${DECLARE_CARD}`);
    const reads = async (role: string, columns: string) => {
      await client.query(`savepoint attempt; set local role ${role}`);
      const outcome = await client.query(`select ${columns} from d.card_live`).then(
        () => true,
        (error: pg.DatabaseError) => {
          expect(error.code).toBe('42501');
          return false;
        },
      );
      await client.query('rollback to savepoint attempt');
      return outcome;
    };
    expect(await reads('app_account', 'album_id, title')).toBe(true);
    expect(await reads('app_account', 'photos')).toBe(false);
    expect(await reads('app_anonymous', 'album_id')).toBe(false);
    expect(await reads('app_moderator', 'photos')).toBe(true);
    await client.query(`revoke select (title) on d.card from app_account; ${DECLARE_CARD}`);
    expect(await reads('app_account', 'title')).toBe(false);
  });
});

describe('a relation that reads derived ones', () => {
  inTransaction(`${CARD_DEFINITION} ${DECLARE_CARD}
    create view d.owner_definition as
      select owner_id, sum(photos) as photos from d.card where owner_id is not null group by owner_id;
    select millrace.materialize('d.owner', 'd.owner_definition', '{owner_id}',
      sources => '{"d.card": "owner_id"}');
    create view d.everyone_definition as select 1 as one, sum(photos) as photos from d.owner;
    select millrace.materialize('d.everyone', 'd.everyone_definition', '{one}',
      strategy => 'refresh');
    create view d.counted_definition as select id, photos from d.album;
    select millrace.counter('d.album.photos', 'd.photo', '{album_id}');
    select millrace.materialize('d.counted', 'd.counted_definition', '{id}',
      sources => '{"d.album": "id"}');`);

  const jobs = async () =>
    (
      await client.query(
        `select payload ->> 'name' as name from graphile_worker._private_jobs order by id`,
      )
    ).rows.map(({ name }) => name);
  const finish = () => client.query('delete from graphile_worker._private_jobs');
  const due = async (...names: string[]) => {
    for (const name of names) await makeDue(client, name);
    await client.query('select millrace.tick()');
  };
  const run = (name: string) =>
    client.query(
      `select millrace.recompute_batch(id, everything => true) from millrace.derivation
       where name = $1`,
      [name],
    );

  test('follows what it reads, one after the other', async () => {
    await client.query('delete from d.photo where album_id = 1');
    await client.query('select millrace.drain()');
    await due('d.card');
    expect(await jobs()).toEqual(['d.card']);
    await run('d.card');
    await finish();
    await client.query('select millrace.drain()');
    await due('d.card', 'd.owner');
    expect(await jobs()).toEqual(['d.owner']);
    await run('d.owner');
    await finish();
    await client.query('select millrace.drain()');
    await due('d.owner', 'd.everyone');
    expect(await jobs()).toEqual(['d.everyone']);
    await run('d.everyone');
    for (const target of ['d.card', 'd.owner', 'd.everyone']) await checkRows(client, { target });
  });

  test('waits while what it reads is behind, but not for ever', async () => {
    await client.query('delete from d.photo where album_id = 1');
    await client.query(`
      insert into millrace_log.d__owner__work (owner_id, first_at)
        select 1, clock_timestamp() - interval '6 s';
      insert into millrace_log.d__everyone__work (first_at)
        select clock_timestamp() - interval '6 s'`);
    // Twice: the counter's own change of the album is for the second.
    await client.query('select millrace.drain(); select millrace.drain()');
    await client.query('update millrace.run set look_at = null');
    await client.query(`update millrace_log.d__card__work
      set marked_at = marked_at - interval '1 d'`);
    await client.query('select millrace.tick()');
    expect(await jobs(), 'upstream first; twice max_wait are not over').toEqual(['d.card']);
    await client.query(
      `update millrace_log.d__owner__work set first_at = first_at - interval '5 s'`,
    );
    await client.query('update millrace.run set look_at = null; select millrace.tick()');
    expect(await jobs()).toEqual(['d.card', 'd.owner']);
  });

  test('comes after all that it reads, however far up', async () => {
    // Declared in the other order than they read: ids do not tell.
    await client.query(`
      create view d.far_definition as select album_id as id, photos from d.card where false;
      select millrace.materialize('d.far', 'd.far_definition', '{id}',
        sources => '{"d.card": "album_id"}');
      create view d.near_definition as select id, photos from d.album;
      select millrace.materialize('d.near', 'd.near_definition', '{id}',
        sources => '{"d.album": "id"}');
      create or replace view d.far_definition as select id, photos from d.near;
      select millrace.materialize('d.far', 'd.far_definition', '{id}', sources => '{"d.near": "id"}');
      insert into millrace_log.d__far__work (id, first_at) values (1, clock_timestamp() - interval '6 s');
      insert into millrace_log.d__near__work (id, first_at) values (1, clock_timestamp() - interval '6 s');
      update millrace.run set look_at = null;
      select millrace.tick()`);
    expect(await jobs()).toEqual(['d.near']);
  });

  test('reads a counter, in the drain after', async () => {
    await client.query('delete from d.photo where album_id = 1');
    await client.query('select millrace.drain()');
    expect((await status('d.counted')).pending_rows).toBeGreaterThan(0);
    await client.query('select millrace.drain()');
    expect((await status('d.counted')).waiting_keys).toBe(1);
    await client.query("select millrace.run_now('d.counted')");
    expect(await one('select photos::integer from d.counted where id = 1')).toBe(0);
  });

  test('no counter is kept in a derived relation', async () => {
    await client.query('savepoint attempt');
    await expectSqlState(
      client.query("select millrace.counter('d.card.photos', 'd.photo', '{album_id}')"),
      'MR025',
    );
    await client.query('rollback to savepoint attempt');
  });
});

describe('a relation that a job fills', () => {
  // The function counts as immutable, so that a definition may stop where the test wants it to.
  inGallery(`
    create function d.gate(n bigint) returns bigint language plpgsql immutable as $$
    begin
      perform pg_advisory_xact_lock_shared(4711);
      return n;
    end $$;
    ${CARD_DEFINITION}
    create or replace view d.card_definition as
      ${CARD.select.replace('count(f.id) as photos', 'd.gate(count(f.id)) as photos')};
  `);
  beforeEach(() => declareForJob(DECLARE_CARD));

  let keeper: pg.Client | null = null;
  // What a test that failed still holds would hold up the next ones.
  afterEach(async () => {
    await keeper?.query('select pg_advisory_unlock_all()');
    keeper = null;
  });

  const closeGate = async () => {
    const holder = await db.connect();
    keeper = holder;
    await holder.query('select pg_advisory_lock(4711)');
    return { open: () => holder.query('select pg_advisory_unlock(4711)') };
  };
  const startJob = async () => {
    const worker = await db.connect();
    const pid = await backendPid(worker);
    const running = worker.query('call millrace.recompute(\'{"name": "d.card"}\')');
    // Whoever waits for it later sees the error then.
    running.catch(() => undefined);
    await waitUntilBlocked(client, pid);
    return { job: running };
  };

  test('in a transaction that sees no more than when it began is left to the job', async () => {
    expect(await status('d.card')).toMatchObject({ state: 'backfilling' });
    expect(await one('select count(*)::integer from d.card')).toBe(0);
    await checkLive(client, CARD);
    await client.query('call millrace.recompute(\'{"name": "d.card"}\')');
    expect(await status('d.card')).toMatchObject({ state: 'active' });
    await checkRows(client, CARD);
  });

  test('does not hold up writers, drains or readers, and misses nothing', async () => {
    const gate = await closeGate();
    const { job } = await startJob();
    await client.query("set lock_timeout to '1ms'");
    await client.query(`
      update d.album set title = 'meanwhile' where id = 1;
      insert into d.photo (id, album_id, size) values (500, 1, 1);
      delete from d.photo where id = 2`);
    await client.query('select millrace.drain()');
    expect(await one('select count(*)::integer from d.card')).toBe(0);
    await client.query('reset lock_timeout');
    await gate.open();
    await job;
    expect(await status('d.card')).toMatchObject({ state: 'active' });
    await checkLive(client, CARD);
    await client.query("select millrace.run_now('d.card')");
    await checkRows(client, CARD);
  });

  test('shows its readers the old rows until the new ones are there', async () => {
    await client.query('call millrace.recompute(\'{"name": "d.card"}\')');
    await client.query(`
      create or replace view d.card_definition as
        ${CARD.select.replace('count(f.id) as photos', 'd.gate(count(f.id)) + 100 as photos').replace('max(f.taken_at) as last_at', "max(f.taken_at) as last_at, 'new'::text as added")}`);
    await declareForJob(DECLARE_CARD);
    const old = await one(
      "select array_agg(album_id || ':' || photos order by album_id)::text from d.card",
    );
    const gate = await closeGate();
    const { job } = await startJob();
    await client.query("set lock_timeout to '1ms'");
    const now = () =>
      one("select array_agg(album_id || ':' || photos order by album_id)::text from d.card");
    expect(await now(), 'a new column does not lock readers out').toBe(old);
    await client.query('reset lock_timeout');
    await gate.open();
    await job;
    expect(await now()).not.toBe(old);
    expect(await one("select bool_and(added = 'new' and photos >= 100) from d.card")).toBe(true);
    await checkRows(client, CARD);
    await checkLive(client, CARD);
  });

  test('waits for a reader at its end without keeping the next ones out', async () => {
    await client.query('call millrace.recompute(\'{"name": "d.card"}\')');
    const reader = await db.connect();
    await reader.query('begin');
    await reader.query('select from d.card_live where album_id = 1');
    await client.query(`
      drop view d.card_definition;
      create view d.card_definition as
        ${CARD.select.replace('count(f.id) as photos', 'count(f.id)::integer as photos')}`);
    const declarer = await db.connect();
    await declarer.query("set lock_timeout to '300ms'");
    await expectSqlState(declarer.query(DECLARE_CARD), '55P03');
    expect(await one('select count(*)::integer from d.card_live')).toBe(10);
    await reader.query('commit');
    await declarer.query('reset lock_timeout');
    await declarer.query(DECLARE_CARD);
    await checkRows(client, CARD);
    await checkLive(client, CARD);
  });

  test('waits for another that puts a new relation in the place of the old one', async () => {
    const before = await one("select 'd.card'::regclass::oid");
    await client.query(`
      drop view d.card_definition;
      create view d.card_definition as
        ${CARD.select.replace('count(f.id) as photos', 'count(f.id)::integer as photos')}`);
    const first = await db.connect();
    await first.query('begin');
    await first.query(DECLARE_CARD);
    const second = await db.connect();
    const pid = await backendPid(second);
    const declared = second.query(DECLARE_CARD);
    declared.catch(() => undefined);
    await waitUntilBlocked(client, pid);
    await first.query('commit');
    await declared;
    expect(await one("select 'd.card'::regclass::oid")).not.toBe(before);
    await checkRows(client, CARD);
    await checkLive(client, CARD);
  });

  test('stays paused when it is paused meanwhile', async () => {
    const gate = await closeGate();
    const { job } = await startJob();
    await client.query("select millrace.pause('d.card')");
    await client.query("update d.album set title = 'paused' where id = 1");
    await client.query('select millrace.drain()');
    await gate.open();
    await job;
    expect(await status('d.card')).toMatchObject({ state: 'paused' });
    await checkLive(client, CARD);
    await client.query("select millrace.resume('d.card')");
    expect(await status('d.card')).toMatchObject({ state: 'active' });
    await checkRows(client, CARD);
  });

  test('misses nothing when it is paused and resumed meanwhile', async () => {
    const gate = await closeGate();
    const { job } = await startJob();
    await client.query("select millrace.pause('d.card')");
    await client.query("update d.album set title = 'paused' where id = 1");
    await client.query('select millrace.drain()');
    const resumer = await db.connect();
    const pid = await backendPid(resumer);
    const resumed = resumer.query("select millrace.resume('d.card')");
    await waitUntilBlocked(client, pid);
    await gate.open();
    await job;
    await resumed;
    await settle(client);
    expect(await status('d.card')).toMatchObject({ state: 'active' });
    await checkRows(client, CARD);
  });

  test('is declared again, without a change, while the job is at work', async () => {
    const gate = await closeGate();
    const { job } = await startJob();
    await client.query("set lock_timeout to '1s'");
    await client.query(DECLARE_CARD);
    await client.query('reset lock_timeout');
    await gate.open();
    await job;
    expect(await status('d.card')).toMatchObject({ state: 'active' });
    await checkRows(client, CARD);
  });

  test('is made by one of several jobs, the others have nothing to do', async () => {
    const gate = await closeGate();
    const { job } = await startJob();
    await client.query('call millrace.recompute(\'{"name": "d.card"}\')');
    expect(await status('d.card')).toMatchObject({ state: 'backfilling' });
    await gate.open();
    await job;
    await checkRows(client, CARD);
  });

  test('whose rows do not fit its key has failed, says why, and tries again later', async () => {
    await client.query(`
      create view d.bad_definition as select album_id as id, size from d.photo`);
    await declareForJob(`select millrace.materialize('d.bad', 'd.bad_definition', '{id}',
        sources => '{"d.photo": "album_id"}')`);
    await client.query('call millrace.recompute(\'{"name": "d.bad"}\')');
    expect(await status('d.bad')).toMatchObject({
      state: 'failed',
      failures: 1,
      last_error: expect.stringMatching(/^MR028: The rows of d\.bad_definition do not fit/),
    });
    await client.query(`
      delete from d.photo where album_id is null
        or id not in (select distinct on (album_id) id from d.photo order by album_id, id);
      update millrace.derivation set retry_at = clock_timestamp() where name = 'd.bad'`);
    await client.query('select millrace.tick()');
    expect(await status('d.bad')).toMatchObject({ state: 'backfilling' });
    await client.query('call millrace.recompute(\'{"name": "d.bad"}\')');
    expect(await status('d.bad')).toMatchObject({ state: 'active', last_error: null });
    await checkRows(client, { target: 'd.bad' });
  });
});

describe('readers while a definition changes', () => {
  inGallery(`${CARD_DEFINITION} ${DECLARE_CARD}`);

  test('never see an empty relation, and never an error', async () => {
    let stop = false;
    const seen = { reads: 0, least: Number.POSITIVE_INFINITY };
    const read = async (relation: string) => {
      const reader = await db.connect();
      while (!stop) {
        const { rows } = await reader.query(`select count(*)::integer as n from ${relation}`);
        seen.reads += 1;
        seen.least = Math.min(seen.least, rows[0].n);
      }
    };
    const readers = Promise.all([read('d.card'), read('d.card')]);
    const variants = [
      CARD.select.replace('f.size > 10', 'f.size > 20'),
      CARD.select.replace('max(f.taken_at) as last_at', 'max(f.taken_at) as last_at, 1 as more'),
      CARD.select,
      CARD.select.replace('count(f.id) as photos', 'count(f.id)::integer as photos'),
      CARD.select,
    ];
    try {
      for (const variant of variants) {
        const before = seen.reads;
        await client.query('drop view d.card_definition');
        await client.query(`create view d.card_definition as ${variant}`);
        await client.query(DECLARE_CARD);
        await settle(client);
        await checkRows(client, CARD);
        while (seen.reads === before) await client.query('select');
      }
    } finally {
      stop = true;
      await readers;
    }
    expect(seen.least).toBe(10);
  });
});

describe('a declaration that needs an index of a log no more', () => {
  inGallery();

  test('gives way to who reads that log and writes then', async () => {
    const sized = (mapping: string) => `select millrace.materialize('d.sized', 'd.sized_definition',
      '{id}', sources => '{"d.photo": "${mapping}"}')`;
    await client.query(`
      create view d.sized_definition as select id, size from d.photo;
      create view d.captioned_definition as select id, caption from d.photo;
      select millrace.materialize('d.captioned', 'd.captioned_definition', '{id}',
        sources => '{"d.photo": "select id from changed"}');
      ${sized('id')}`);
    const writer = await db.connect();
    await writer.query('begin');
    await writer.query('select from d.captioned_live where id = 1');
    const declarer = await db.connect();
    const pid = await backendPid(declarer);
    const declared = declarer.query(sized('select id from changed'));
    // Whoever waits for it later sees the error then.
    declared.catch(() => undefined);
    await waitUntilBlocked(client, pid);
    await writer.query('update d.photo set size = 77 where id = 1');
    await writer.query('commit');
    await declared;
    expect(await one('select size::integer from d.sized_live where id = 1')).toBe(77);
  });
});

describe('the API', () => {
  test('knows keys and references of derived relations, and offers no mutation', async () => {
    await client.query(ROLLBACK);
    await client.query(`
      create view app_private.tally_definition as
        select a.id as account_id, count(c.id) as conversations,
          (select max(o.id) from app_public.opinion o where o.author_id = a.id) as newest
        from app_public.account a
        left join app_public.conversation c on c.owner_id = a.id
        group by a.id;
      select millrace.materialize('app_public.tally', 'app_private.tally_definition', '{account_id}',
        sources => '{"app_public.account": "id", "app_public.conversation": "owner_id",
          "app_public.opinion": "author_id"}');
      create view app_private.tally_pair_definition as
        select o.conversation_id, o.author_id, count(*) as opinions
        from app_public.opinion o group by 1, 2;
      select millrace.materialize('app_public.tally_pair', 'app_private.tally_pair_definition',
        '{conversation_id,author_id}', strategy => 'refresh');
      grant select on app_public.tally, app_public.tally_pair to app_anonymous;
      comment on table app_public.tally is 'What an account has made.';
      select millrace.dress(id) from millrace.derivation where name like 'app_public.tally%'`);
    try {
      expect(await one("select obj_description('app_public.tally'::regclass)")).toBe(
        [
          '@behavior -insert -update -delete',
          '@foreignKey (account_id) references app_public.account (id)',
          'What an account has made.',
        ].join('\n'),
      );
      expect(await one("select obj_description('app_public.tally_live'::regclass)")).toBe(
        [
          '@behavior -insert -update -delete',
          '@primaryKey account_id',
          '@foreignKey (account_id) references app_public.account (id)',
          'What an account has made.',
        ].join('\n'),
      );
      expect(
        (await one<string>("select obj_description('app_public.tally_pair'::regclass)")).split(
          '\n',
        ),
      ).toEqual([
        '@behavior -insert -update -delete',
        '@primaryKey conversation_id,author_id',
        '@foreignKey (author_id) references app_public.account (id)',
        '@foreignKey (conversation_id) references app_public.conversation (id)',
      ]);
      const schema = buildSchema(await printApiSchema(db.connectionString));
      const fieldsOf = (type: string) =>
        Object.keys((schema.getType(type) as GraphQLObjectType).getFields());
      expect(fieldsOf('Tally')).toEqual(
        expect.arrayContaining(['accountId', 'conversations', 'newest', 'account']),
      );
      expect(fieldsOf('TallyLive')).toEqual(expect.arrayContaining(['accountId', 'account']));
      expect(fieldsOf('TallyPair')).toEqual(
        expect.arrayContaining(['conversation', 'author', 'opinions']),
      );
      expect(fieldsOf('Account').filter((name) => /tally/i.test(name)).length).toBeGreaterThan(0);
      expect(fieldsOf('Mutation').filter((name) => /tally/i.test(name))).toEqual([]);
    } finally {
      await client.query(`
        select millrace.drop('app_public.tally'); select millrace.drop('app_public.tally_pair');
        drop view app_private.tally_definition, app_private.tally_pair_definition`);
    }
  });
});
