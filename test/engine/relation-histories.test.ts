import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';
import { createRandom, type Random } from './lib/random.ts';
import {
  CARD,
  CLEAN,
  checkLive,
  checkRows,
  declare,
  difference,
  GALLERY,
  liveCheck,
  liveOf,
  nameOf,
  RELATIONS,
  type Relation,
  settle,
} from './lib/relations.ts';

/*
 * Random histories of derived relations, on one connection: whatever statement runs, whatever
 * becomes of its transaction, and whatever state a relation is in, the live view gives what the
 * definition gives; once everything is recomputed, so does the stored relation, and reconcile
 * agrees. Many connections at once are in test/concurrency.
 */

const SEEDS = [11, 12];
const STEPS = 30;

/** Relations that read derived relations, and one that reads a counter. */
const DOWNSTREAM: readonly Relation[] = [
  {
    target: 'd.owner_card',
    select: `select owner_id, count(*) as albums, sum(photos) as photos, max(big_size) as biggest
      from d.card where owner_id is not null group by owner_id`,
    key: ['owner_id'],
    sources: { 'd.card': 'owner_id' },
  },
  {
    target: 'd.top_owner',
    select: `select p.id, p.name, o.albums, o.biggest > 30 as is_big
      from d.person p left join d.owner_card o on o.owner_id = p.id`,
    key: ['id'],
    sources: { 'd.person': 'id', 'd.owner_card': 'owner_id' },
  },
  {
    target: 'd.counted',
    select: 'select id, title, photos, photos > 3 as is_full from d.album',
    key: ['id'],
    sources: { 'd.album': 'id' },
  },
];

/** The same definitions by the other strategy. */
const REFRESHED: readonly Relation[] = [
  { ...CARD, target: 'd.card_view' },
  {
    target: 'd.total',
    select: 'select 1 as one, count(*) as n, sum(photos) as photos from d.card_view',
    key: ['one'],
    sources: {},
  },
];

let db: TestDatabase;
let client: pg.Client;

beforeAll(async () => {
  db = await createTestDatabase();
  client = await db.connect();
});

afterAll(async () => {
  await db.drop();
});

const id = (random: Random, limit = 12) => 1 + random.below(limit);
const orNull = (random: Random, value: number) => (random.oneIn(5) ? 'null' : value);

const OPERATIONS: ((random: Random) => string)[] = [
  (r) =>
    `insert into d.photo (id, album_id, person_id, size, taken_at, meta, raw, rating, caption)
     select coalesce(max(id), 0) + 1, ${orNull(r, id(r, 10))}, ${orNull(r, id(r, 6))},
       ${r.below(60)}, '2024-01-01Z'::timestamptz + ${r.below(50)} * interval '1 h',
       '{"n": ${r.below(9)}}', '{"b": ${r.below(9)}}', ${orNull(r, r.below(11))}, 'c${r.below(9)}'
     from d.photo`,
  (r) =>
    `insert into d.photo (id, album_id, person_id, size)
     select (select max(id) from d.photo) + i, i % 10 + 1, i % 6 + 1, i from generate_series(1, ${id(r)}) i`,
  (r) => `update d.photo set album_id = ${orNull(r, id(r, 10))} where id % 7 = ${r.below(7)}`,
  (r) => `update d.photo set person_id = ${orNull(r, id(r, 6))} where id % 9 = ${r.below(9)}`,
  (r) =>
    `update d.photo set size = size + ${r.below(3)}, rating = ${r.below(11)} where id < ${id(r, 40)}`,
  (r) =>
    `update d.photo set raw = '{"r": ${r.below(3)}}', meta = '[${r.below(3)}]' where id = ${id(r, 40)}`,
  (r) => `update d.photo set tags = tags || 'x${r.below(5)}'::text where id = ${id(r, 40)}`,
  (r) => `update d.photo set size = size where id < ${id(r, 40)}`,
  (r) =>
    `update d.photo set id = -id where id = ${id(r, 40)} and id not in (select -id from d.photo)`,
  (r) => `delete from d.photo where id % 11 = ${r.below(11)}`,
  (r) => `delete from d.album where id = ${id(r)}`,
  (r) =>
    `insert into d.album (id, owner_id, title) values (${id(r)}, ${orNull(r, id(r, 6))}, 'u${r.below(9)}')
     on conflict (id) do update set owner_id = excluded.owner_id, title = excluded.title`,
  (r) => `update d.album set owner_id = ${orNull(r, id(r, 6))} where id = ${id(r)}`,
  (r) =>
    `update d.album set made = made + ${r.below(2)}, title = nullif(title, 'u3') where id < ${id(r)}`,
  (r) => `update d.person set name = name || ${r.below(9)}, note = 'x' where id = ${id(r, 6)}`,
  (r) => `update d.person set hidden = not hidden where id = ${id(r, 6)}`,
  (r) =>
    `update d.person set email = nullif('${r.below(4)}@z', '0@z') where id = ${id(r, 6)}
       and not exists (select from d.person where email = '${r.below(4)}@z')`,
  (r) =>
    `update d.person set level = (enum_range(null::d.level))[${id(r, 3)}] where id = ${id(r, 6)}`,
  (r) =>
    `insert into d."Odd Table" values (${r.below(5)}, 'x.${r.below(14)}', ${r.below(3)}.50, 't')
     on conflict ("The Key", "sub.key") do update set "select" = excluded."select" / 3`,
  (r) => `update d."Odd Table" set "sub.key" = "sub.key" || '!' where "The Key" = ${r.below(5)}`,
  (r) => `delete from d."Odd Table" where "select" < ${r.below(2)}`,
  (r) => `update d.setting set factor = ${id(r, 3)}`,
  () => 'truncate d.setting',
  (r) => `insert into d.setting values ('scale', ${id(r, 3)}) on conflict do nothing`,
  (r) =>
    `truncate d."Odd Table"; insert into d."Odd Table" values (1, 'again', ${r.below(9)}, null)`,
  (r) =>
    `merge into d.photo f using (select i as id from generate_series(1, 12) i) s on f.id = s.id * 4
     when matched and f.id % 3 = ${r.below(3)} then delete
     when matched then update set size = f.size + 1, album_id = s.id % 10 + 1
     when not matched then insert (id, album_id, size) values (s.id * 4, s.id % 10 + 1, s.id)`,
  (r) =>
    `with gone as (delete from d.photo where id % 13 = ${r.below(13)} returning *)
     insert into d.photo (id, album_id, size) select id + 1000, album_id, size from gone
     on conflict (id) do nothing`,
];

/** A key or a part of one, for reads by key. */
function condition(random: Random, { target }: Relation): string {
  const column: Record<string, () => string> = {
    'd.card': () => `album_id = ${id(random)}`,
    'd.ranking': () =>
      random.oneIn(2)
        ? `album_id = ${id(random)}`
        : `album_id = ${id(random)} and photo_id = ${id(random, 40)}`,
    'd.cover': () => `album_id = ${id(random)}`,
    'd.feed': () =>
      random.oneIn(3) ? "kind = 'album'" : `kind = 'person' and id = ${id(random, 6)}`,
    'd.involved': () => `person_id = ${id(random, 6)}`,
    'd.appearance': () =>
      random.oneIn(2) ? `album_id = ${id(random)}` : `person_id = ${id(random, 6)}`,
    'd."Odd Feed"': () => `"The Key" = ${random.below(5)}`,
    'd.by_level': () => `level = 'member'`,
    'd.owner_card': () => `owner_id = ${id(random, 6)}`,
  };
  return (column[target] ?? (() => `id in (${id(random)}, ${id(random)})`))();
}

test.each(SEEDS)('a random history, seed %i', { timeout: 240_000 }, async (seed) => {
  const random = createRandom(seed);
  const kept = [...RELATIONS, ...DOWNSTREAM];
  const told: string[] = [];
  const context = () => `seed ${seed}, after:\n${told.slice(-12).join('\n')}`;
  const say = async (sql: string) => {
    told.push(`${sql};`);
    return await client.query(sql);
  };
  await client.query(CLEAN);
  await client.query(GALLERY);
  await client.query("select millrace.counter('d.album.photos', 'd.photo', '{album_id}')");
  for (const relation of kept) await declare(client, relation);
  for (const relation of REFRESHED) await declare(client, relation, '', 'refresh');

  const differences = await liveCheck(client, kept);
  const check = async () => {
    const some = Array.from({ length: 4 }, () => random.pick(kept));
    const byKey = some.map((relation) => [relation, condition(random, relation)] as const);
    const all = (random.oneIn(2) ? kept : some).map((relation) => [relation, 'true'] as const);
    expect(await differences([...all, ...byKey]), context()).toEqual({});
  };
  await check();
  let recomputed = 0;
  for (let step = 0; step < STEPS; step += 1) {
    await say('begin');
    for (let i = 0; i <= random.below(3); i += 1) {
      const operation = random.pick(OPERATIONS)(random);
      const undone = random.oneIn(6);
      await client.query('savepoint attempt');
      try {
        await say(operation);
      } catch (error) {
        const { code = '', message } = error as pg.DatabaseError;
        if (!code.startsWith('23')) throw new Error(`${message} (${code})\n${context()}`);
        told.push(`-- ${code}`);
        await client.query('rollback to savepoint attempt');
      }
      if (random.oneIn(3)) await check();
      if (undone) await say('rollback to savepoint attempt');
    }
    await say(random.oneIn(7) ? 'rollback' : 'commit');
    await check();

    if (random.oneIn(2)) await say(`select millrace.drain(${random.pick([1, 3, 20_000])})`);
    if (random.oneIn(3)) {
      const { rows } = await say(
        `select (millrace.recompute_batch(id, everything => true, size => ${id(random, 5)})
           ->> 'keys')::integer as keys
         from millrace.derivation where name = '${nameOf(random.pick(kept))}'`,
      );
      recomputed += rows[0]?.keys ?? 0;
    }
    if (random.oneIn(6)) {
      const name = nameOf(random.pick(kept));
      await say(
        random.pick([
          `select millrace.pause('${name}')`,
          `select millrace.resume('${name}')`,
          `do $$ begin perform millrace.lock_engine(); perform millrace.fail('${name}', 'a test'); end $$`,
        ]),
      );
    }
    if (random.oneIn(6)) {
      const { rows } = await say(
        'select name, examples from millrace.reconcile() where keys_drifted > 0',
      );
      expect(rows, context()).toEqual([]);
    }
    await check();
  }
  expect(recomputed, 'recomputes had something to do').toBeGreaterThan(0);

  await say(
    "select millrace.resume(name) from millrace.status where state in ('paused', 'failed')",
  );
  // Three rounds: what reads a derived relation follows it, by the log or by the refresh.
  for (let round = 0; round < 3; round += 1) await settle(client);
  for (const relation of [...kept, ...REFRESHED]) await checkRows(client, relation, context());
  const { rows: drift } = await client.query(
    "select name, keys_checked::integer > 0 as checked, keys_drifted::integer from millrace.reconcile() where name like 'd.%'",
  );
  expect(drift).toHaveLength(kept.length + REFRESHED.length + 1);
  expect(drift.filter((row) => row.keys_drifted > 0)).toEqual([]);
  const { rows: failed } = await client.query(
    "select name, last_error from millrace.status where state <> 'active' or failed_keys > 0",
  );
  expect(failed).toEqual([]);
});

test('the check sees a row that is missing, one too many and one that differs', async () => {
  await client.query(CLEAN);
  await client.query(GALLERY);
  await declare(client, CARD);
  await client.query('begin');
  await client.query(
    'update d.card set title = $$wrong$$ where album_id = (select min(album_id) from d.card)',
  );
  expect(await difference(client, 'd.card', 'd.card_definition')).toHaveLength(2);
  await expect(checkLive(client, CARD)).rejects.toThrow();
  await client.query('rollback');
  await client.query('begin');
  await client.query('delete from d.card where album_id = (select min(album_id) from d.card)');
  expect(await difference(client, liveOf(CARD), 'd.card_definition')).toHaveLength(1);
  await client.query('rollback');
});
