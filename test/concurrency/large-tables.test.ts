import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeHistory, runHistory } from './lib/history.ts';
import { type Mutant, plant } from './lib/mutants.ts';
import { runSeed } from './lib/random.ts';
import { type Stage, VOTES, withStage } from './lib/stage.ts';
import { shopKey } from './lib/world.ts';
import { createWorlds, type Worlds, withOwner } from './lib/worlds.ts';

/*
 * Through tables of more than 64 MB, which backfills and reconciles look through another way: the
 * engine of these databases takes every table for as large as that.
 *
 * PROOF_SEED          replays the transactions of the history
 * PROOF_TRANSACTIONS  of each of its 8 clients, default 60
 * PROOF_FAULTS        prints by what each mistake is found
 */

const transactions = Number(process.env.PROOF_TRANSACTIONS ?? 60);

const sizeOfAll = (bytes: number) => `
  create or replace function millrace.table_size(variadic relations regclass[])
    returns bigint
    language sql
    stable
    set search_path to ''
  return (select count(r.relation) * ${bytes} from unnest(table_size.relations) r(relation))`;

const LIMIT = 64 * 1024 * 1024;

/** Those that count through another table. */
const THROUGH = [
  'app_public.conversation.participant_count',
  'app_public.conversation.total_participant_count',
  'app_public.conversation.total_vote_count',
  'app_public.conversation.vote_count',
  'proof.node.grandchild_count',
  'proof.shop.buyer_count',
  'proof.shop.sold_total',
];

let worlds: Worlds;

beforeAll(async () => {
  worlds = await createWorlds(async (client) => {
    await client.query(VOTES);
    await client.query(`insert into proof.sale (item_id, buyer, amount)
      select i.id, 'buyer ' || b, b from proof.item i, generate_series(1, 3) b`);
    await client.query(sizeOfAll(LIMIT + 1));
  });
}, 120_000);

afterAll(async () => {
  await worlds?.drop();
});

const MEMBERS = 'millrace_log.proof__shop__buyer_count__members';
const EACH = /from batch b cross join lateral/;

test('counts through a table of more than 64 MB, and no others, look it through by key', async () => {
  await worlds.with((connectionString) =>
    withOwner(connectionString, async (client) => {
      const lookedThrough = async () => {
        const { rows } = await client.query<{ name: string; sql: string }>(
          `select d.name, millrace.reconcile_sql(array[d.name], 'keys', true, true) as sql
          from millrace.derivation d
          where d.kind = 'counter' and d.name ~ '^(proof|app_public\\.conversation)\\M'
          order by d.name collate "C"`,
        );
        return rows.filter(({ sql }) => EACH.test(sql)).map(({ name }) => name);
      };
      expect(await lookedThrough()).toEqual(THROUGH);
      await client.query(sizeOfAll(LIMIT));
      expect(await lookedThrough()).toEqual([]);
    }),
  );
});

test('a batch reads of the through table what it needs, key by key by index', async () => {
  await worlds.with((connectionString) =>
    withOwner(connectionString, async (client) => {
      await client.query(`
        create table proof.hotel (id bigint primary key, stays bigint not null default 0);
        create table proof.room (id bigint primary key, hotel_id bigint not null);
        create index room_of_hotel on proof.room (hotel_id);
        create table proof.stay (
          id bigint primary key, room_id bigint not null references proof.room
        );
        create index stay_of_room on proof.stay (room_id);
        insert into proof.hotel select h from generate_series(1, 4000) h;
        insert into proof.room select r, r % 4000 + 1 from generate_series(1, 40000) r;
        insert into proof.stay select s, s % 40000 + 1 from generate_series(1, 40000) s`);
      await client.query('vacuum analyze proof.hotel, proof.room, proof.stay');
      await client.query(`select millrace.counter('proof.hotel.stays', 'proof.stay',
        '{via.hotel_id}', through => 'proof.room')`);
      const { rows } = await client.query<{ sql: string }>(
        `select millrace.reconcile_sql('{proof.hotel.stays}', 'keys', true, true) as sql`,
      );
      await client.query('set search_path to pg_catalog');
      await client.query(`prepare batch (text[], integer) as ${rows[0]!.sql}`);
      const { rows: plan } = await client.query<{ 'QUERY PLAN': string }>(
        "explain execute batch ('{2000}', 20)",
      );
      const text = plan.map((line) => line['QUERY PLAN']).join('\n');
      expect(text).toMatch(/room_of_hotel.*\n *Index Cond: .*\bhotel_id = b(_\d+)?\.id\)/);
      expect(text).not.toMatch(/Seq Scan on (room|stay)/);
    }),
  );
});

/**
 * Counts afresh and reconciles in batches of two keys what counts through another table, while rows
 * are pending, a writer has not committed, and stored values are wrong.
 */
async function countAndRepair(stage: Stage): Promise<void> {
  const shop = (number: number) => `(region, code) = (${shopKey(number)})`;
  const pending = async (round: number) => {
    await stage.query(`insert into app_public.opinion_vote
        (opinion_id, conversation_id, voter_id, choice)
      select o.id, o.conversation_id, ${20 + round}, 'agree' from app_public.opinion o
      where o.id % 3 = ${round % 3}`);
    await stage.query(
      `update app_public.opinion set moderation = 'hidden' where id in (${round + 1}, ${round + 9})`,
    );
    await stage.query(`insert into proof.sale (item_id, buyer, amount)
      select i.id, 'buyer ' || ${round + 3}, ${round + 1} from proof.item i where i.id % 2 = 0`);
    await stage.query(
      `update proof.item set (region, code) = row (${shopKey(round)}) where id = ${round + 10}`,
    );
    await stage.query(`update proof.node set parent_id = ${round + 2} where id = ${round + 20}`);
  };
  const writer = await stage.actor();
  await writer.query('begin');
  await writer.query(`insert into app_public.opinion_vote
    (opinion_id, conversation_id, voter_id, choice) values (6, 1, 41, 'agree'), (7, 2, 41, 'pass')`);
  await writer.query(`update proof.item set (region, code) = row (${shopKey(4)}) where id = 5`);
  await writer.query(`insert into proof.sale (item_id, buyer, amount) values (5, 'buyer 9', 9)`);

  const names = `array(select d.name from millrace.derivation d where d.through is not null
    and d.name ~ '^(proof|app_public\\.conversation)\\M' and d.kind = 'counter')`;
  await stage.query(`select millrace.pause(n) from unnest(${names}) n`);
  await pending(0);
  await stage.drainAll();
  await stage.query(`select millrace.resume(n) from unnest(${names}) n`);
  await pending(1);
  for (let more = true; more; ) {
    await stage.query('begin; select millrace.lock_engine()');
    const { rows } = await stage.query('select millrace.backfill(2) as more');
    await stage.query('commit');
    await stage.check('while it is counted afresh');
    more = rows[0].more;
  }
  await stage.check('counted afresh');

  await stage.query(`update proof.shop set sold_total = sold_total + 7 where ${shop(3)}`);
  await stage.query('update app_public.conversation set vote_count = vote_count - 2 where id = 3');
  await stage.query(`delete from ${MEMBERS} where ${shop(1)} and member_1 = 'buyer 1'`);
  await pending(2);
  await stage.query(`call millrace.reconcile_batches('{"repair": true, "size": 2}')`);
  const { rows: drifts } = await stage.query(
    `select l.name, l.keys_drifted::integer as keys, l.drift::integer as drift
    from millrace.drift_log l order by l.name collate "C"`,
  );
  const expected = [
    { name: 'app_public.conversation.vote_count', keys: 1, drift: 2 },
    { name: 'proof.shop.buyer_count', keys: 1, drift: 1 },
    { name: 'proof.shop.sold_total', keys: 1, drift: 7 },
  ];
  if (JSON.stringify(drifts) !== JSON.stringify(expected)) {
    stage.faults.push(`reconcile found ${JSON.stringify(drifts)}`);
  }
  await stage.check('repaired, with a writer that has not committed');
  await writer.query('commit');
  await stage.check('after that writer');
  await stage.settle({ drifts: true });
}

const play = (edits: Mutant['edits'] = []) =>
  worlds.with(async (connectionString) => {
    await withOwner(connectionString, (client) =>
      plant(client, { name: 'large tables', mistake: '', edits, caughtBy: 'truncate' }),
    );
    return await withStage(connectionString, countAndRepair);
  });

describe('what counts through a table of more than 64 MB', () => {
  test('is counted afresh and repaired exactly, while others write', async () => {
    expect(await play()).toEqual([]);
  });

  const EACH_KEY = 'from batch b cross join lateral (select x.* from %%s x where %s offset 0)';
  test.each([
    [
      'only the first key of a batch were looked up',
      EACH_KEY.replace('from batch b', 'from (select * from batch limit 1) b'),
    ],
    ['each key brought the rows of all', EACH_KEY.replace('where %s', 'where (%s) is not null')],
    ['a key brought one row', EACH_KEY.replace('offset 0', 'limit 1')],
    ['nothing were found', EACH_KEY.replace('where %s', 'where false and %s')],
  ])('would be wrong if %s', async (_, replace) => {
    const faults = await play([{ routine: 'millrace.reconcile_sql', find: EACH_KEY, replace }]);
    if (process.env.PROOF_FAULTS) console.log(`${faults.length}: ${faults[0]?.slice(0, 300)}`);
    expect(faults).not.toEqual([]);
  });

  test('is right after a random history', { timeout: 300_000 }, async () => {
    const report = await worlds.with((connectionString) =>
      runHistory({ connectionString, seed: runSeed(), transactions }),
    );
    console.log(describeHistory(report));
    expect(report.faults).toEqual([]);
  });
});
