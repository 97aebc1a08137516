import type pg from 'pg';
import { expect } from 'vitest';

/*
 * A gallery (people, albums, photos and a table with odd names) in a schema of its own, relations
 * derived from it that use every way in which SQL puts rows together, and their oracle: whatever
 * happened, the live view is what the definition gives in the same statement.
 */

/** Tables of the gallery, in schema d; a few rows in each. */
export const GALLERY = `
  create schema d;
  create type d.level as enum ('guest', 'member', 'Ümläut ''quoted''');
  create domain d.rating as integer check (value between 0 and 10);
  create table d.person (id bigint primary key, name text not null,
    email text collate "C" unique, hidden boolean not null default false,
    level d.level not null default 'member', note text);
  create table d.album (id bigint primary key, owner_id bigint references d.person (id),
    title text, made date not null default '2024-02-29', photos bigint not null default 0);
  create table d.photo (id bigint primary key,
    album_id bigint references d.album (id) on delete cascade,
    person_id bigint references d.person (id), size numeric(10, 2), taken_at timestamptz,
    tags text[] not null default '{}', meta jsonb, raw json, rating d.rating, caption varchar(20));
  create table d."Odd Table" ("The Key" bigint, "sub.key" text, "select" numeric, t text,
    primary key ("The Key", "sub.key"));
  create table d.setting (name text primary key, factor integer not null);
  create table d.constant (id integer primary key, label text not null);
  create index on d.album (owner_id);
  create index on d.photo (album_id);
  create index on d.photo (person_id);
  insert into d.person (id, name, email, level)
    select i, 'p' || i, i || '@x', (enum_range(null::d.level))[1 + i % 3]
    from generate_series(1, 6) i;
  insert into d.album (id, owner_id, title, made)
    select i, nullif(i % 5, 0), nullif('t' || i, 't4'), date '2024-02-27' + i % 3
    from generate_series(1, 10) i;
  insert into d.photo (id, album_id, person_id, size, taken_at, tags, meta, raw, rating, caption)
    select i, nullif(i % 9, 0), nullif(i % 7, 0), i * 1.5, timestamptz '2024-01-01 00:00Z' + i * interval '1 h',
      array['a', 'b' || i % 3], jsonb_build_object('n', i), '{"a": 1, "a": 2}', i % 11, 'c' || i
    from generate_series(1, 40) i;
  insert into d."Odd Table"
    select i % 4, 'x.' || i, i / 10.0, null from generate_series(1, 12) i;
  insert into d.setting values ('scale', 2);
  insert into d.constant values (1, 'one'), (2, 'two');
`;

/** A relation derived from the gallery. */
export interface Relation {
  /** As SQL; what it is called in the engine is without quotes. */
  target: string;
  /** The select of the definition. */
  select: string;
  key: readonly string[];
  sources: Record<string, string | readonly string[] | null>;
}

/** What the engine calls it. */
export const nameOf = ({ target }: Pick<Relation, 'target'>): string => target.replaceAll('"', '');

export const liveOf = ({ target }: Pick<Relation, 'target'>): string =>
  target.endsWith('"') ? `${target.slice(0, -1)}_live"` : `${target}_live`;

const definitionOf = ({ target }: Pick<Relation, 'target'>): string =>
  target.endsWith('"') ? `${target.slice(0, -1)}_definition"` : `${target}_definition`;

export const CARD: Relation = {
  target: 'd.card',
  select: `select a.id as album_id, a.title, p.name as owner_name, a.owner_id,
      count(f.id) as photos, sum(f.size) filter (where f.size > 10) as big_size,
      max(f.taken_at) as last_at
    from d.album a
    left join d.person p on p.id = a.owner_id
    left join d.photo f on f.album_id = a.id
    group by a.id, p.name`,
  key: ['album_id'],
  sources: {
    'd.album': 'id',
    'd.photo': 'album_id',
    'd.person': 'select a.id from d.album a join changed on changed.id = a.owner_id',
  },
};

/** Each uses SQL that the others do not. */
export const RELATIONS: readonly Relation[] = [
  CARD,
  {
    // lateral subqueries, one with a limit; nulls from outer joins
    target: 'd.profile',
    select: `select p.id, p.name, p.level, s.albums, l.photo_id, l.size, l.rating, l.caption
      from d.person p
      cross join lateral (
        select count(*) as albums from d.album a where a.owner_id = p.id
      ) s
      left join lateral (
        select f.id as photo_id, f.size, f.rating, f.caption
        from d.photo f where f.person_id = p.id
        order by f.size desc nulls last, f.id limit 1
      ) l on true`,
    key: ['id'],
    sources: { 'd.person': 'id', 'd.album': 'owner_id', 'd.photo': 'person_id' },
  },
  {
    // window functions, partitioned by the first column of the key
    target: 'd.ranking',
    select: `select album_id, id as photo_id, size,
        rank() over w as place, lag(id) over w as before, count(*) over (partition by album_id) as of
      from d.photo
      where album_id is not null
      window w as (partition by album_id order by size desc nulls last, id)`,
    key: ['album_id', 'photo_id'],
    sources: {
      'd.photo': `select album_id, id from changed
        union select f.album_id, f.id from d.photo f join changed on changed.album_id = f.album_id`,
    },
  },
  {
    // distinct on, jsonb, json, arrays
    target: 'd.cover',
    select: `select distinct on (f.album_id) f.album_id, f.id as photo_id, f.tags, f.meta, f.raw
      from d.photo f where f.album_id is not null
      order by f.album_id, f.taken_at desc nulls last, f.id`,
    key: ['album_id'],
    sources: { 'd.photo': 'album_id' },
  },
  {
    // union all of two tables, a key of text and number
    target: 'd.feed',
    select: `select 'album'::text as kind, id, title as name from d.album
      union all
      select 'person', id, name from d.person where not hidden`,
    key: ['kind', 'id'],
    sources: {
      'd.album': "select 'album'::text, id from changed",
      'd.person': "select 'person'::text, id from changed",
    },
  },
  {
    // union, which makes distinct
    target: 'd.involved',
    select: `select owner_id as person_id from d.album where owner_id is not null
      union
      select person_id from d.photo where person_id is not null`,
    key: ['person_id'],
    sources: { 'd.album': 'owner_id', 'd.photo': 'person_id' },
  },
  {
    // a common table expression that is read once
    target: 'd.average',
    select: `with sizes as (
        select album_id, avg(size) as mean, percentile_cont(0.5) within group (order by size) as median
        from d.photo group by album_id
      )
      select a.id, s.mean, s.median, s.album_id is null as is_empty
      from d.album a left join sizes s on s.album_id = a.id`,
    key: ['id'],
    sources: { 'd.album': 'id', 'd.photo': 'album_id' },
  },
  {
    // one that is read twice
    target: 'd.podium',
    select: `with placed as not materialized (
        select album_id, id, row_number() over (partition by album_id order by size desc, id) as place
        from d.photo
      )
      select a.id, x.id as first, y.id as second
      from d.album a
      left join placed x on x.album_id = a.id and x.place = 1
      left join placed y on y.album_id = a.id and y.place = 2`,
    key: ['id'],
    sources: { 'd.album': 'id', 'd.photo': 'album_id' },
  },
  {
    // a composite key, aggregates of every kind of value; a mapping with a with of its own
    target: 'd.appearance',
    select: `select f.album_id, f.person_id, min(p.email) as email, count(*) as n,
        array_agg(f.id order by f.id) as photos, jsonb_object_agg(f.id, f.meta) as metas,
        json_agg(f.caption order by f.id) as captions,
        string_agg(f.caption, ', ' order by f.caption) as caption, bool_or(f.size > 20) as is_big,
        max(f.rating)::d.rating as best
      from d.photo f join d.person p on p.id = f.person_id
      where f.album_id is not null and p.email is not null
      group by f.album_id, f.person_id`,
    key: ['album_id', 'person_id'],
    sources: {
      'd.photo': ['album_id', 'person_id'],
      'd.person': `with touched as (select id from changed)
        select f.album_id, f.person_id from d.photo f join touched t on t.id = f.person_id`,
    },
  },
  {
    // names that need quotes, in every place
    target: 'd."Odd Feed"',
    select: `select o."The Key", o."sub.key" as "Sub ""Key""", o."select" as "group", o.t,
        count(*) over (partition by o."The Key", o."sub.key") as f
      from d."Odd Table" o`,
    key: ['The Key', 'Sub "Key"'],
    sources: { 'd."Odd Table"': ['The Key', 'sub.key'] },
  },
  {
    // a key of an enum, two joins away; exists, not exists, having
    target: 'd.by_level',
    select: `select p.level, count(*) as albums, sum(a.id) as ids, min(a.made) as made
      from d.album a join d.person p on p.id = a.owner_id
      where exists (select from d.photo f where f.album_id = a.id)
        and not exists (select from d.photo f where f.album_id = a.id and f.rating = 10)
      group by p.level
      having count(*) < 5`,
    key: ['level'],
    sources: {
      'd.album': `select p.level from changed c join d.person p on p.id = c.owner_id`,
      'd.person': 'level',
      'd.photo': `select p.level from changed c join d.album a on a.id = c.album_id
        join d.person p on p.id = a.owner_id`,
    },
  },
  {
    // what concerns every key, and what never changes
    target: 'd.scaled',
    select: `select a.id, a.id * s.factor as scaled, k.label
      from d.album a
      cross join (select factor from d.setting where name = 'scale') s
      left join d.constant k on k.id = a.id`,
    key: ['id'],
    sources: {
      'd.album': 'id',
      'd.setting': 'select a.id from d.album a, changed',
      'd.constant': null,
    },
  },
];

/** Makes the view that defines a relation, and declares it. */
export async function declare(
  client: pg.ClientBase,
  relation: Relation,
  more = '',
  strategy: 'incremental' | 'refresh' = 'incremental',
): Promise<void> {
  await client.query(`create or replace view ${definitionOf(relation)} as ${relation.select}`);
  await client.query(
    `select millrace.materialize($1, $2, $3, strategy => $4, sources => $5 ${more})`,
    [
      relation.target,
      definitionOf(relation),
      relation.key,
      strategy,
      strategy === 'incremental' ? JSON.stringify(relation.sources) : null,
    ],
  );
}

/** Columns of a relation, as SQL; definitions of the tests do not change under their names. */
async function columnsOf(client: pg.ClientBase, relation: string): Promise<string> {
  const { rows } = await client.query<{ list: string }>(
    `select string_agg(quote_ident(attname), ', ' order by attnum) as list
     from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped`,
    [relation],
  );
  return rows[0]?.list ?? '';
}

function differenceSql(left: string, right: string, columns: string, where: string): string {
  const rowsOf = (relation: string) =>
    `select row(${columns})::text as row from ${relation} where ${where}`;
  return `(select '+' || x.row as row from (${rowsOf(left)} except all ${rowsOf(right)}) x)
    union all
    (select '-' || x.row from (${rowsOf(right)} except all ${rowsOf(left)}) x)`;
}

/** The rows that only the left (+) or only the right (-) relation has; columns as the right has. */
export async function difference(
  client: pg.ClientBase,
  left: string,
  right: string,
  where = 'true',
): Promise<string[]> {
  const columns = await columnsOf(client, right);
  const { rows } = await client.query<{ row: string }>(differenceSql(left, right, columns, where));
  return rows.map(({ row }) => row);
}

/** A check of many live views in one statement; the columns are looked up now. */
export async function liveCheck(
  client: pg.ClientBase,
  relations: readonly Relation[],
): Promise<
  (parts?: readonly (readonly [Relation, string])[]) => Promise<Record<string, string[]>>
> {
  const columns = new Map<string, string>();
  for (const relation of relations) {
    columns.set(relation.target, await columnsOf(client, definitionOf(relation)));
  }
  return async (parts = relations.map((relation) => [relation, 'true'] as const)) => {
    const { rows } = await client.query<{ name: string; rows: string[] }>(
      parts
        .map(
          ([relation, where], i) =>
            `select $p${i}$${relation.target} where ${where}$p${i}$ as name, array(${differenceSql(
              liveOf(relation),
              definitionOf(relation),
              columns.get(relation.target) ?? '',
              where,
            )}) as rows`,
        )
        .join('\nunion all\n'),
    );
    return Object.fromEntries(
      rows.filter((row) => row.rows.length > 0).map((row) => [row.name, row.rows]),
    );
  };
}

/** Asserts that the live view is what the definition gives, by all or by a condition. */
export async function checkLive(
  client: pg.ClientBase,
  relation: Pick<Relation, 'target'>,
  where = 'true',
  context = '',
): Promise<void> {
  expect(
    await difference(client, liveOf(relation), definitionOf(relation), where),
    `${liveOf(relation)} where ${where} ${context}`,
  ).toEqual([]);
}

/** Asserts that what is stored is what the definition gives. */
export async function checkRows(
  client: pg.ClientBase,
  relation: Pick<Relation, 'target'>,
  context = '',
): Promise<void> {
  expect(
    await difference(client, relation.target, definitionOf(relation)),
    `${relation.target} ${context}`,
  ).toEqual([]);
}

/** Drains and recomputes everything that waits, upstream first. */
export async function settle(client: pg.ClientBase): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `select name from millrace.derivation
     where kind = 'materialize' and state <> 'paused' and target::text like 'd.%' order by id`,
  );
  for (const { name } of rows) await client.query('select millrace.run_now($1)', [name]);
}

/** Makes all that waits due, and lets the next tick look at it at once. */
export async function makeDue(client: pg.ClientBase, name: string): Promise<void> {
  const { rows } = await client.query<{ work: string }>(
    'select work::text from millrace.derivation where name = $1',
    [name],
  );
  await client.query(
    `update ${rows[0]?.work} set first_at = first_at - interval '1 day',
       marked_at = marked_at - interval '1 day'`,
  );
  await client.query(
    `update millrace.run set look_at = null, queued_at = queued_at - interval '1 day',
       finished_at = finished_at - interval '1 day'
     where derivation = (select id from millrace.derivation where name = $1)`,
    [name],
  );
}

/** What the engine has generated or notes about, in the test's schema, with each object's identity. */
export async function generated(client: pg.ClientBase): Promise<unknown[]> {
  const { rows } = await client.query(`
    select 'relation' as kind, c.oid::bigint, c.oid::regclass::text as name, c.relkind::text as detail
    from pg_class c
    where c.relnamespace = 'millrace_log'::regnamespace and c.relname ~ '^(d__|r_)'
      or c.relnamespace = 'd'::regnamespace
    union all
    select 'function', p.oid, p.oid::regprocedure::text, md5(p.prosrc) from pg_proc p
    where p.pronamespace = 'd'::regnamespace
      or p.pronamespace = 'millrace_log'::regnamespace and p.proname ~ '^d__'
    union all
    select 'trigger', t.oid, t.tgname, t.tgrelid::regclass::text from pg_trigger t
    join pg_class c on c.oid = t.tgrelid and c.relnamespace = 'd'::regnamespace
    where not t.tgisinternal
    union all
    select 'derivation', d.id, d.name, d.state from millrace.derivation d
    where d.name ~ '^(d\\.|r_)'
    union all
    select 'source', s.relation::oid, s.relation::text, s.compared::text from millrace.source s
    where s.relation::text like 'd.%'
    union all
    select 'mapping', m.derivation, m.source::text, m.query from millrace.mapping m
    where m.source::text like 'd.%'
    order by 1, 3, 2`);
  return rows;
}

/** Takes everything of the tests' schema away. */
export const CLEAN = `
  rollback;
  reset role;
  set client_min_messages to warning;
  do $$
  begin
    perform millrace.lock_engine();
    drop schema if exists d cascade;
    perform millrace.forget_vanished();
    perform millrace.drop(name) from millrace.derivation where name ~ '^r_';
  end
  $$;
`;
