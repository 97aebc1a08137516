import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';
import { type Expectation, runScenario, type Scenario } from './lib/history.ts';
import type { Random } from './lib/random.ts';

/*
 * Random histories of every shape of counter. A failure names its seed and the last statements;
 * HISTORY_SEED replays it, HISTORY_STEPS makes histories longer.
 */

const STEPS = Number(process.env.HISTORY_STEPS ?? 80);
const SEEDS = process.env.HISTORY_SEED
  ? [Number(process.env.HISTORY_SEED)]
  : [1, 2, Date.now() % 1_000_000];

let db: TestDatabase;

beforeEach(async () => {
  db = await createTestDatabase();
});

afterEach(async () => {
  await db.drop();
});

/** Numbers a to b as SQL would list them. */
const some = (random: Random, limit: number) => 1 + random.below(limit);

function expectation(
  schema: string,
  table: string,
  column: string,
  truth: string,
  quote = (name: string) => name,
): Expectation {
  return {
    name: `${schema}.${table}.${column}`,
    target: `${quote(schema)}.${quote(table)}`,
    column: quote(column),
    exact: `${quote(schema)}.${quote(`${table}_${column}`)}`,
    truth,
  };
}

const sums: Scenario = {
  tables: `
    create schema shop;
    create table shop.team (
      id bigint primary key, label text,
      lines bigint, pieces bigint not null default 0, cost numeric not null default 0,
      members integer not null default 0, pairs bigint not null default 0
    );
    create table shop.line (
      id bigint primary key, team_id bigint references shop.team (id) on delete cascade,
      kind text, amount integer, price numeric(12, 3), member uuid, note text,
      constraint line_note_key unique (team_id, note)
    );
    create index on shop.line (team_id);
    insert into shop.team (id) select generate_series(1, 6);`,
  declarations: `
    select millrace.counter('shop.team.lines', 'shop.line', '{team_id}', $$kind = 'a'$$);
    select millrace.counter('shop.team.pieces', 'shop.line', '{team_id}', value => 'amount');
    select millrace.counter('shop.team.cost', 'shop.line', '{team_id}',
      $$kind is distinct from 'b'$$, 'price * amount');
    select millrace.counter('shop.team.members', 'shop.line', '{team_id}',
      distinct_on => '{member}');
    select millrace.counter('shop.team.pairs', 'shop.line', '{team_id}', $$kind <> 'c'$$,
      distinct_on => '{member,note}');`,
  expectations: [
    ['lines', "select count(*) from shop.line l where l.team_id = t.id and l.kind = 'a'"],
    ['pieces', 'select coalesce(sum(l.amount), 0) from shop.line l where l.team_id = t.id'],
    [
      'cost',
      `select coalesce(sum(l.price * l.amount), 0) from shop.line l
       where l.team_id = t.id and l.kind is distinct from 'b'`,
    ],
    ['members', 'select count(distinct l.member) from shop.line l where l.team_id = t.id'],
    [
      'pairs',
      `select count(*) from (select distinct l.member, l.note from shop.line l
       where l.team_id = t.id and l.kind <> 'c' and l.member is not null and l.note is not null) p`,
    ],
  ].map(([column, truth]) => expectation('shop', 'team', column!, truth!)),
  operations: [
    (r) => `insert into shop.line values (${lineValues(r)})`,
    (r) => `insert into shop.line
      select ${some(r, 60)} + i, i % 6 + 1, (array['a', 'b', 'c', null])[i % 4 + 1], i, 1.005 * i,
        ('00000000-0000-0000-0000-00000000000' || i % 5)::uuid, 'n' || i
      from generate_series(1, ${some(r, 30)}) i on conflict do nothing`,
    (r) => `insert into shop.line values (${lineValues(r)}), (${lineValues(r)})
      on conflict (id) do update set kind = excluded.kind, amount = line.amount + excluded.amount,
        team_id = excluded.team_id`,
    (r) => `merge into shop.line l
      using (select i as id from generate_series(${some(r, 40)}, ${some(r, 60)}) i) s on l.id = s.id
      when matched and l.kind = 'a' then delete
      when matched then update set kind = 'a', member = null
      when not matched then insert values (s.id, s.id % 6 + 1, 'b', null, 2.5, null, null)`,
    (r) => ({
      copy: 'shop.line',
      rows: Array.from({ length: some(r, 8) }, (_, i) => [
        100 + r.below(900) * 10 + i,
        r.pick([some(r, 6), null]),
        r.pick(['a', 'b', 'c']),
        r.pick([r.below(100) - 50, null]),
        '0.125',
        `00000000-0000-0000-0000-00000000000${r.below(5)}`,
        null,
      ]),
    }),
    (r) => `update shop.line set team_id = ${r.pick([some(r, 6), 'null'])}
      where id % ${some(r, 5)} = 0`,
    () => 'update shop.line set kind = kind, amount = amount',
    (r) => `update shop.line set amount = ${r.pick(['null', 'amount + 1', '-amount'])},
      price = price * 2, member = ('00000000-0000-0000-0000-00000000000' || ${r.below(5)})::uuid
      where id % ${some(r, 4)} = 0 and coalesce(price, 0) < 1000`,
    (r) => `delete from shop.line where id % ${some(r, 6)} = 0`,
    (r) => `delete from shop.team where id = ${some(r, 6)}`,
    (r) => `insert into shop.team (id) values (${some(r, 6)})`,
    (r) => `with gone as (delete from shop.line where id < ${some(r, 80)} returning id, team_id)
      insert into shop.line (id, team_id, kind) select id + 5000, team_id, 'a' from gone
      on conflict do nothing`,
    (r) => (r.oneIn(4) ? 'truncate shop.line' : 'update shop.team set label = id::text'),
  ],
};

function lineValues(r: Random): string {
  return [
    some(r, 80),
    r.pick([some(r, 6), 'null']),
    r.pick(["'a'", "'b'", "'c'", 'null']),
    r.pick([r.below(1000) - 500, 'null']),
    r.pick([`${r.below(1000)}.125`, 'null']),
    r.pick([`'00000000-0000-0000-0000-00000000000${r.below(5)}'`, 'null']),
    r.pick([`'n${r.below(4)}'`, 'null']),
  ].join(', ');
}

const SHOWN = 'c.cancelled = false and p.hidden = false';
const through: Scenario = {
  tables: `
    create schema forum;
    create table forum.board (id bigint primary key, replies bigint not null default 0,
      everything bigint not null default 0, authors bigint not null default 0,
      points bigint not null default 0, kinds bigint not null default 0);
    create table forum.post (id integer primary key,
      board_id bigint references forum.board (id) on delete cascade,
      hidden boolean not null default false, weight integer, unique (id, board_id));
    create index on forum.post (board_id);
    create table forum.reply (id integer primary key, post_id integer, board_id bigint,
      author integer, cancelled boolean not null default false, score integer,
      foreign key (post_id, board_id) references forum.post (id, board_id)
        on update cascade on delete cascade);
    create index on forum.reply (post_id, board_id);
    insert into forum.board (id) select generate_series(1, 4);
    insert into forum.post select i, i % 4 + 1, i % 3 = 0, i from generate_series(1, 8) i;`,
  declarations: `
    select millrace.counter('forum.board.replies', 'forum.reply', '{source.board_id}',
      'not source.cancelled and not via.hidden', through => 'forum.post');
    select millrace.counter('forum.board.everything', 'forum.reply', '{via.board_id}',
      through => 'forum.post');
    select millrace.counter('forum.board.authors', 'forum.reply', '{via.board_id}',
      'not cancelled and not hidden', through => 'forum.post', distinct_on => '{author}');
    select millrace.counter('forum.board.points', 'forum.reply', '{via.board_id}',
      'not via.hidden', 'source.score * via.weight', 'forum.post');
    select millrace.counter('forum.board.kinds', 'forum.reply', '{source.board_id}',
      through => 'forum.post', distinct_on => '{source.author,via.weight}');`,
  expectations: [
    ['replies', 'count(*)', `c.board_id = t.id and ${SHOWN}`],
    ['everything', 'count(*)', 'p.board_id = t.id'],
    ['authors', 'count(distinct c.author)', `p.board_id = t.id and ${SHOWN}`],
    ['points', 'coalesce(sum(c.score * p.weight), 0)', 'p.board_id = t.id and not p.hidden'],
    [
      'kinds',
      'count(distinct (c.author, p.weight)) filter (where c.author is not null and p.weight is not null)',
      'c.board_id = t.id',
    ],
  ].map(([column, value, condition]) =>
    expectation(
      'forum',
      'board',
      column!,
      `select ${value} from forum.reply c
       join forum.post p on p.id = c.post_id and p.board_id = c.board_id where ${condition}`,
    ),
  ),
  operations: [
    (r) => `insert into forum.reply
      select ${some(r, 90)} + i, p.id, p.board_id, ${r.pick(['i % 4', 'null'])}, i % 5 = 0, i - 2
      from generate_series(1, ${some(r, 6)}) i join forum.post p on p.id = i % 8 + 1
      on conflict do nothing`,
    (r) => `insert into forum.reply values (${some(r, 90)}, ${some(r, 8)},
      ${r.pick(['null', some(r, 4)])}, ${some(r, 4)}, false, 3) on conflict do nothing`,
    (r) => `update forum.reply set cancelled = not cancelled where id % ${some(r, 4)} = 0`,
    (r) => `update forum.reply c set post_id = p.id, board_id = p.board_id
      from forum.post p where p.id = ${some(r, 8)} and c.id % ${some(r, 4)} = 0`,
    (r) => `update forum.reply set author = ${some(r, 4)}, score = id where id < ${some(r, 90)}`,
    (r) => `update forum.post set hidden = not hidden where id = ${some(r, 8)}`,
    (r) =>
      `update forum.post set weight = ${r.pick(['null', 'id', '-1'])} where id > ${some(r, 8)}`,
    (r) => `update forum.post set board_id = ${some(r, 4)} where id = ${some(r, 8)}`,
    (r) => `update forum.post set board_id = null where id = ${some(r, 8)}
      and not exists (select from forum.reply where post_id = ${some(r, 8)})`,
    (r) => `with hidden as (update forum.post set hidden = true where id = ${some(r, 8)})
      update forum.reply set cancelled = false, author = 1 where post_id = ${some(r, 8)}`,
    (r) => `delete from forum.post where id = ${some(r, 8)}`,
    (r) => `insert into forum.post values (${some(r, 8)}, ${some(r, 4)}, ${r.oneIn(2)}, 7)
      on conflict (id) do update set hidden = excluded.hidden, weight = excluded.weight`,
    (r) => `delete from forum.board where id = ${some(r, 4)}`,
    (r) => `insert into forum.board (id) values (${some(r, 4)}) on conflict do nothing`,
    (r) => `delete from forum.reply where id % ${some(r, 5)} = 0`,
    (r) => (r.oneIn(3) ? 'truncate forum.reply' : 'select'),
    (r) => (r.oneIn(5) ? 'truncate forum.post cascade' : 'select'),
  ],
};

const selfReference: Scenario = {
  tables: `
    create schema tree;
    create table tree.node (id bigint primary key, kind text,
      parent_id bigint references tree.node (id) on delete cascade,
      children bigint not null default 0, grandchildren bigint not null default 0,
      kinds bigint not null default 0);
    create index on tree.node (parent_id);
    insert into tree.node (id) values (1);`,
  declarations: `
    select millrace.counter('tree.node.children', 'tree.node', '{parent_id}', $$kind = 'leaf'$$);
    select millrace.counter('tree.node.grandchildren', 'tree.node', '{via.parent_id}',
      $$via.kind is distinct from 'closed'$$, through => 'tree.node');
    select millrace.counter('tree.node.kinds', 'tree.node', '{via.parent_id}',
      through => 'tree.node', distinct_on => '{source.kind}');`,
  expectations: [
    expectation(
      'tree',
      'node',
      'children',
      "select count(*) from tree.node c where c.parent_id = t.id and c.kind = 'leaf'",
    ),
    expectation(
      'tree',
      'node',
      'grandchildren',
      `select count(*) from tree.node g join tree.node c on c.id = g.parent_id
       where c.parent_id = t.id and c.kind is distinct from 'closed'`,
    ),
    expectation(
      'tree',
      'node',
      'kinds',
      `select count(distinct g.kind) from tree.node g join tree.node c on c.id = g.parent_id
       where c.parent_id = t.id`,
    ),
  ],
  operations: [
    (r) => `insert into tree.node (id, parent_id, kind) values
      (${some(r, 20)}, ${r.pick(['null', some(r, 20)])}, ${r.pick(["'leaf'", "'closed'", 'null'])})`,
    (r) => `insert into tree.node (id, parent_id, kind)
      select i, i - ${some(r, 3)}, 'leaf' from generate_series(${2 + r.below(10)}, 20) i
      where exists (select from tree.node n where n.id = i - 1) on conflict do nothing`,
    (r) => `update tree.node set parent_id = ${r.pick(['null', some(r, 20)])}
      where id = ${some(r, 20)}`,
    (r) => `update tree.node set parent_id = id where id = ${some(r, 20)}`,
    (r) => `update tree.node set kind = ${r.pick(["'leaf'", "'closed'", 'null', 'kind'])}
      where id % ${some(r, 4)} = 0`,
    (r) => `delete from tree.node where id = ${some(r, 20)}`,
    (r) => (r.oneIn(6) ? 'truncate tree.node' : 'insert into tree.node (id) values (1)'),
  ],
};

const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;
const ODD = 'Odd "Schéma"';
const PLACE = 'place of a name that is almost, but not entirely, too long for';
const VISIT = 'visit: also with a name as long as Postgres will let one be, é';
const COLUMN = 'how many "visits" there were, counted again and again';
const DISTINCT = 'how many "visits" there were, counted again but once per %s';
const q = quoted;

const unguardedKeys: Scenario = {
  tables: `
    create schema ${q(ODD)};
    create table ${q(ODD)}.${q(PLACE)} (
      "select" uuid, "Land; drop" text collate "C", "día" date, "not a %I key" text,
      ${q(COLUMN)} bigint not null default 0, ${q(DISTINCT)} bigint not null default 0,
      primary key ("Land; drop", "select", "día"));
    create table ${q(ODD)}.${q(VISIT)} (
      "$1" uuid, "from" text collate "C", "día" date, "group by" text, "é%s" varchar(10));
    create index on ${q(ODD)}.${q(VISIT)} ("from", "$1", "día");`,
  declarations: `
    select millrace.counter(format('%I.%I.%I', '${ODD}', '${PLACE}', '${COLUMN}'),
      format('%I.%I', '${ODD}', '${VISIT}'), '{from,$1,día}', $$"group by" <> 'no''pe'$$);
    select millrace.counter(format('%I.%I.%I', '${ODD}', '${PLACE}', '${DISTINCT}'),
      format('%I.%I', '${ODD}', '${VISIT}'), '{from,$1,día}', distinct_on => '{group by,é%s}');`,
  expectations: [
    { column: COLUMN, value: 'count(*)', condition: `v."group by" <> 'no''pe'` },
    {
      column: DISTINCT,
      value: 'count(distinct (v."group by", v."é%s"))',
      condition: 'v."group by" is not null and v."é%s" is not null',
    },
  ].map(({ column, value, condition }) => ({
    name: column,
    target: `${q(ODD)}.${q(PLACE)}`,
    column: q(column),
    exact: null,
    truth: `select ${value} from ${q(ODD)}.${q(VISIT)} v where v."from" = t."Land; drop"
      and v."$1" = t."select" and v."día" = t."día" and ${condition}`,
  })),
  operations: [
    (r) => `insert into ${q(ODD)}.${q(VISIT)} values (${visitValues(r)}), (${visitValues(r)})`,
    (r) => `insert into ${q(ODD)}.${q(PLACE)} ("select", "Land; drop", "día")
      values (${placeKey(r)}) on conflict do nothing`,
    (r) => `insert into ${q(ODD)}.${q(PLACE)} ("select", "Land; drop", "día")
      select distinct "$1", "from", "día" from ${q(ODD)}.${q(VISIT)}
      where "$1" is not null and "from" is not null and "día" is not null
      limit ${some(r, 3)} on conflict do nothing`,
    (r) => `delete from ${q(ODD)}.${q(PLACE)} where "día" = '2024-01-0${some(r, 2)}'`,
    (r) => `with gone as (delete from ${q(ODD)}.${q(PLACE)} returning *)
      insert into ${q(ODD)}.${q(PLACE)} ("select", "Land; drop", "día")
      select "select", 'x' || ${r.below(2)}, "día" from gone on conflict do nothing`,
    (r) => `update ${q(ODD)}.${q(VISIT)} set "from" = ${r.pick(["'x0'", "'x1'", 'null'])},
      "é%s" = ${r.pick(['null', "'é'", `"é%s"`])} where "group by" = ${group(r)}`,
    (r) => `update ${q(ODD)}.${q(VISIT)} set "group by" = ${group(r)}
      where "día" = '2024-01-0${some(r, 2)}'`,
    (r) => `delete from ${q(ODD)}.${q(VISIT)} where "group by" = ${group(r)}`,
    (r) => (r.oneIn(5) ? `truncate ${q(ODD)}.${q(VISIT)}` : 'select'),
    (r) => (r.oneIn(5) ? `truncate ${q(ODD)}.${q(PLACE)}` : 'select'),
  ],
};

function group(r: Random): string {
  return r.pick(["'no''pe'", "'a'", "'%s'", 'null']);
}

function placeKey(r: Random): string {
  return `'00000000-0000-0000-0000-00000000000${r.below(2)}', 'x${r.below(2)}', '2024-01-0${some(r, 2)}'`;
}

function visitValues(r: Random): string {
  return `${r.oneIn(8) ? "null, 'x0', null" : placeKey(r)}, ${group(r)}, ${r.pick(["'é'", 'null', "'b'"])}`;
}

const partitioned: Scenario = {
  tables: `
    create schema metering;
    create table metering.room (id uuid primary key, readings bigint not null default 0,
      total numeric not null default 0, days bigint not null default 0);
    create table metering.reading (id bigint not null, at date not null,
      room_id uuid references metering.room (id) on delete cascade, value numeric,
      primary key (id, at)) partition by range (at);
    create table metering.reading_1 partition of metering.reading
      for values from ('2024-01-01') to ('2024-02-01');
    create table metering.reading_2 partition of metering.reading
      for values from ('2024-02-01') to ('2024-03-01') partition by list (id);
    create table metering.reading_2a partition of metering.reading_2 for values in (1, 2, 3);
    create table metering.reading_2b partition of metering.reading_2 default;
    create index on metering.reading (room_id);
    insert into metering.room
      select ('00000000-0000-0000-0000-00000000000' || i)::uuid from generate_series(1, 4) i;`,
  declarations: `
    select millrace.counter('metering.room.readings', 'metering.reading', '{room_id}',
      'at >= date ''2024-01-15''');
    select millrace.counter('metering.room.total', 'metering.reading', '{room_id}',
      value => 'value');
    select millrace.counter('metering.room.days', 'metering.reading', '{room_id}',
      distinct_on => '{at}');`,
  expectations: [
    ['readings', "count(*) filter (where r.at >= '2024-01-15')"],
    ['total', 'coalesce(sum(r.value), 0)'],
    ['days', 'count(distinct r.at)'],
  ].map(([column, value]) =>
    expectation(
      'metering',
      'room',
      column!,
      `select ${value} from metering.reading r where r.room_id = t.id`,
    ),
  ),
  operations: [
    (r) => `insert into metering.reading select ${r.below(20)} + i,
      date '2024-01-01' + ${r.below(55)} + i % 3,
      ('00000000-0000-0000-0000-00000000000' || i % 4 + 1)::uuid, i / 7.0
      from generate_series(1, ${some(r, 8)}) i on conflict do nothing`,
    (r) => `insert into metering.reading values (${some(r, 9)}, '2024-02-10', null, 1)
      on conflict (id, at) do update set value = reading.value + 1`,
    (r) => `update metering.reading set at = date '2024-01-01' + ${r.below(59)}
      where id = ${some(r, 25)}`,
    (r) => `update metering.reading set id = id + 1 where at >= '2024-02-01'
      and id = ${some(r, 6)}`,
    (r) => `update metering.reading set
      room_id = '00000000-0000-0000-0000-00000000000${some(r, 4)}' where id % ${some(r, 4)} = 0`,
    (r) => `delete from metering.reading
      where at < date '2024-01-01' + ${r.below(59)} and id > ${r.below(20)}`,
    (r) =>
      `delete from metering.room where id = '00000000-0000-0000-0000-00000000000${some(r, 4)}'`,
    (r) => `insert into metering.room values
      ('00000000-0000-0000-0000-00000000000${some(r, 4)}')`,
    (r) => ({
      copy: 'metering.reading',
      rows: Array.from({ length: some(r, 5) }, (_, i) => [
        1000 + r.below(10_000) * 5 + i,
        `2024-0${some(r, 2)}-1${r.below(10)}`,
        '00000000-0000-0000-0000-000000000001',
        '1.5',
      ]),
    }),
    (r) => (r.oneIn(3) ? 'truncate metering.reading' : 'select'),
  ],
};

const twins: Scenario = {
  tables: ['left', 'right']
    .map(
      (side) => `
        create schema twin_${side};
        create table twin_${side}.album (title text primary key, photos bigint not null default 0);
        create table twin_${side}.photo (id integer primary key,
          album text references twin_${side}.album (title) on delete cascade);
        create index on twin_${side}.photo (album);
        insert into twin_${side}.album values ('a'), ('b');`,
    )
    .join('\n'),
  declarations: ['left', 'right']
    .map(
      (side) =>
        `select millrace.counter('twin_${side}.album.photos', 'twin_${side}.photo', '{album}');`,
    )
    .join('\n'),
  expectations: ['left', 'right'].map((side) =>
    expectation(
      `twin_${side}`,
      'album',
      'photos',
      `select count(*) from twin_${side}.photo p where p.album = t.title`,
    ),
  ),
  operations: [
    (r) => `insert into twin_${r.pick(['left', 'right'])}.photo
      values (${some(r, 30)}, ${r.pick(["'a'", "'b'", 'null'])})`,
    (r) => `delete from twin_${r.pick(['left', 'right'])}.photo where id % ${some(r, 4)} = 0`,
    (r) =>
      `update twin_${r.pick(['left', 'right'])}.photo set album = 'a' where id < ${some(r, 9)}`,
    (r) => `delete from twin_${r.pick(['left', 'right'])}.album where title = 'b'`,
    (r) =>
      `insert into twin_${r.pick(['left', 'right'])}.album values ('b') on conflict do nothing`,
    (r) => (r.oneIn(5) ? `truncate twin_${r.pick(['left', 'right'])}.photo` : 'select'),
  ],
};

// A derived column as a source: the second step follows the stored value of the first, in the next
// drain; so what its exact read equals is a sum over what is stored.
const chain: Scenario = {
  tables: `
    create schema band;
    create table band.label (id integer primary key, plays bigint not null default 0,
      popular bigint not null default 0);
    create table band.song (id integer primary key, label_id integer references band.label (id),
      plays bigint not null default 0);
    create index on band.song (label_id);
    create table band.play (id integer primary key, song_id integer not null
      references band.song (id) on delete cascade, skipped boolean not null);
    create index on band.play (song_id);
    insert into band.label values (1), (2);
    insert into band.song select i, i % 2 + 1 from generate_series(1, 6) i;`,
  declarations: `
    select millrace.counter('band.song.plays', 'band.play', '{song_id}', 'not skipped');
    select millrace.counter('band.label.plays', 'band.song', '{label_id}', value => 'plays');
    select millrace.counter('band.label.popular', 'band.song', '{label_id}', 'plays >= 3');`,
  expectations: [
    expectation(
      'band',
      'song',
      'plays',
      'select count(*) from band.play p where p.song_id = t.id and not p.skipped',
    ),
    expectation(
      'band',
      'label',
      'plays',
      'select coalesce(sum(s.plays), 0) from band.song s where s.label_id = t.id',
    ),
    expectation(
      'band',
      'label',
      'popular',
      'select count(*) from band.song s where s.label_id = t.id and s.plays >= 3',
    ),
  ],
  operations: [
    (r) => `insert into band.play select ${some(r, 80)} + i, i % 6 + 1, i % 3 = 0
      from generate_series(1, ${some(r, 6)}) i on conflict do nothing`,
    (r) => `update band.play set skipped = not skipped where id % ${some(r, 4)} = 0`,
    (r) => `update band.play set song_id = ${some(r, 6)} where id < ${some(r, 50)}`,
    (r) => `update band.song set label_id = ${r.pick(['null', 1, 2])} where id = ${some(r, 6)}`,
    (r) => `delete from band.song where id = ${some(r, 6)}`,
    (r) => `insert into band.song values (${some(r, 6)}, ${some(r, 2)})`,
    (r) => `delete from band.play where id % ${some(r, 4)} = 0`,
    (r) => (r.oneIn(4) ? 'truncate band.play' : 'select'),
  ],
};

const scenarios: Record<string, Scenario> = {
  'counts, sums and distinct counts': sums,
  'through a referenced table': through,
  'a table that references itself': selfReference,
  'keys that nothing guards, under odd names': unguardedKeys,
  'a partitioned source': partitioned,
  'tables of one name in two schemas': twins,
  'a target that is a source': chain,
};

describe.each(Object.entries(scenarios))('%s', (_, scenario) => {
  test.each(SEEDS)('seed %i', { timeout: 120_000 }, async (seed) => {
    const client = await db.connect();
    await runScenario(client, scenario, { seed, steps: STEPS });
  });
});

// Each of the checks has to be able to fail.
describe('the harness finds', () => {
  const FAULTS: [string, string, RegExp][] = [
    [
      'a trigger that does not fire',
      'alter table shop.line disable trigger _900_millrace_update',
      /exact/,
    ],
    [
      'a value that is written past the engine',
      'alter table shop.team alter lines set default 3',
      /exact|stored/,
    ],
    [
      'a log that loses rows',
      `create function shop.lose() returns trigger language plpgsql as 'begin return null; end';
       create trigger lose before insert on millrace_log.shop__line for each row
         when (new.kind = 'b') execute function shop.lose()`,
      /exact/,
    ],
  ];

  test.each(FAULTS)('%s', async (_, sabotage, found) => {
    const client = await db.connect();
    const sabotaged = { ...sums, declarations: `${sums.declarations}; ${sabotage}` };
    await expect(runScenario(client, sabotaged, { seed: 1, steps: 120 })).rejects.toThrow(found);
  });
});
