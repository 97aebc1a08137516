import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { createRandom, runSeed } from '../concurrency/lib/random.ts';
import {
  cardCall,
  cardDefinition,
  SHEET_CALL,
  sheetDefinition,
} from '../concurrency/lib/relations.ts';
import { createWorlds, type Worlds, withOwner } from '../concurrency/lib/worlds.ts';
import { until } from '../host/until.ts';
import { type Host, startHost } from './lib/host.ts';
import { startLoad } from './lib/load.ts';
import { faultsOf, untilQuiet, withOwnerClient } from './lib/whole.ts';

/*
 * Definitions that change under load, and one that fails half-way: readers go on, and never see an
 * empty relation.
 *
 * PROOF_DECLARATIONS  how often each relation is declared anew; default 5
 * PROOF_SEED          replays the transactions of a run
 */

const declarations = Number(process.env.PROOF_DECLARATIONS ?? 5);
const seed = runSeed();
const TIMEOUT = 180_000 + declarations * 10_000;

let worlds: Worlds;
let host: Host | null = null;

beforeAll(async () => {
  worlds = await createWorlds(async (client) => {
    await client.query(`insert into proof.sale (item_id, buyer, amount)
      select i.id, 'buyer ' || i.id % 8 + 1, 3 from proof.item i`);
  });
}, 120_000);

async function stopHost(): Promise<void> {
  await host?.stop();
  host = null;
}

afterEach(stopHost);

/** Runs `work` on a world of its own; the host that it started ends before the world does. */
async function withWorld(work: (connectionString: string) => Promise<void>): Promise<void> {
  await worlds.with(async (connectionString) => {
    try {
      await work(connectionString);
    } finally {
      await stopHost();
    }
  });
}

afterAll(async () => {
  await worlds?.drop();
});

/** The same definition as the sheet's, refreshed; nobody reads it, so it may be replaced. */
const COPY_CALL = `select millrace.materialize('proof.shop_copy', 'proof.shop_sheet_definition',
  '{region,code}', 'refresh', debounce => '40 ms', max_wait => '400 ms')`;

/** Writes that leave every relation with some rows, one row each: they have no deadlock of their own. */
const FILLED = [
  'vote',
  'put item',
  'move item',
  'sell',
  'note shop',
  'look and note',
  'open shop',
  'log events',
  'tag',
];

/** Reads the relations again and again; says what was seen that must not be. */
function startReaders(connectionString: string): { stop(): Promise<string[]>; reads(): number } {
  const faults: string[] = [];
  let reads = 0;
  let over = false;
  const statements = [
    'select count(*)::integer as n from proof.shop_sheet',
    'select count(*)::integer as n from proof.shop_sheet_live',
    'select count(*)::integer as n from proof.shop_copy',
    'select count(*)::integer as n from proof.region_sheet',
    'select count(*)::integer as n from proof.region_view',
    'select count(*)::integer as n from proof.buyer_card',
    'select proof.cards() as n',
  ];
  async function reader(index: number): Promise<void> {
    await withOwnerClient(connectionString, async (client) => {
      while (!over) {
        const sql = statements[(reads + index) % statements.length] as string;
        try {
          const { rows } = await client.query<{ n: number }>(sql);
          if (rows[0]!.n === 0) faults.push(`empty: ${sql}`);
        } catch (error) {
          faults.push(`${sql}: ${(error as Error).message}`);
        }
        reads += 1;
        await pause(2);
      }
    });
  }
  const running = Promise.all([reader(0), reader(3)]);
  return {
    reads: () => reads,
    async stop() {
      over = true;
      await running;
      return faults;
    },
  };
}

test('definitions and strategies that change under load', { timeout: TIMEOUT }, async () => {
  const random = createRandom(`${seed}/definitions`);
  await withWorld(async (connectionString) => {
    await withOwnerClient(connectionString, (client) =>
      client.query(`${COPY_CALL};
        create function proof.cards() returns integer language plpgsql volatile as $$
        begin return (select count(*) from proof.buyer_card); end $$`),
    );
    host = await startHost(connectionString);
    const load = startLoad({
      connectionString,
      seed,
      writers: 3,
      filter: { only: FILLED },
      alone: true,
    });
    const readers = startReaders(connectionString);
    let refused = 0;
    await withOwner(connectionString, async (client) => {
      for (let round = 0; round < declarations; round += 1) {
        const edition = round % 2 === 0 ? 2 : 1;
        const strategy = round % 2 === 0 ? 'refresh' : 'incremental';
        for (const call of [
          `begin; ${sheetDefinition(edition)}; ${SHEET_CALL}; commit`,
          `begin; ${COPY_CALL}; commit`,
          `begin; ${cardDefinition(edition)}; ${cardCall(strategy)}; commit`,
        ]) {
          try {
            await client.query(call);
          } catch (error) {
            // It gives way to who is on its tables, and is tried again, as migrate does.
            if ((error as { code?: string }).code !== '55P03') throw error;
            await client.query('rollback');
            refused += 1;
          }
          await pause(random.between(50, 250));
        }
      }
    });
    const report = await load.stop();
    const faults = await readers.stop();
    await untilQuiet(connectionString);
    console.log(
      `seed ${seed}: ${declarations * 3} declarations (${refused} gave way), ${readers.reads()} reads, ` +
        `load ${JSON.stringify(report)}`,
    );
    expect([...new Set(faults)]).toEqual([]);
    expect(report.deadlocks, 'deadlocks').toEqual([]);
    await stopHost();
    expect(await faultsOf(connectionString)).toEqual([]);
  });
});

test('a relation that is emptied before it is filled would be seen', {
  timeout: TIMEOUT,
}, async () => {
  await withWorld(async (connectionString) => {
    await withOwnerClient(connectionString, (client) =>
      client.query(`${COPY_CALL}; create function proof.cards() returns integer return 1`),
    );
    const readers = startReaders(connectionString);
    await withOwnerClient(connectionString, async (client) => {
      await client.query("set millrace.writer = 'engine'");
      await client.query('truncate proof.shop_sheet');
      await until(readers.reads, (reads) => reads > 200, 60_000);
    });
    expect(await readers.stop()).toContain(
      'empty: select count(*)::integer as n from proof.shop_sheet',
    );
  });
});

test('a refresh that fails half-way', { timeout: TIMEOUT }, async () => {
  await withWorld(async (connectionString) => {
    const ask = (sql: string) =>
      withOwnerClient(connectionString, async (client) => (await client.query(sql)).rows);
    await ask(`
      create table proof.page (id bigint primary key, slug text not null, hits integer not null);
      insert into proof.page select p, 'page ' || p, 1 from generate_series(1, 20) p;
      create view proof.page_definition as select slug, hits from proof.page;
      select millrace.materialize('proof.page_view', 'proof.page_definition', '{slug}', 'refresh',
        debounce => '40 ms', max_wait => '400 ms');
      select millrace.materialize('proof.page_sheet', 'proof.page_definition', '{slug}',
        sources => '{"proof.page": "slug"}', debounce => '40 ms', max_wait => '400 ms')`);
    host = await startHost(connectionString);
    await untilQuiet(connectionString);
    const hits = async (relation: string, page: number) =>
      (await ask(`select hits from proof.${relation} where slug = 'page ${page}'`)).map(
        (row) => row.hits,
      );
    const state = async () =>
      (
        await ask(`select s.name, s.state, s.failed_keys::int, s.last_error from millrace.status s
        where s.name like 'proof.page%' order by s.name`)
      ).map((row) => row);

    // Two rows for a key: neither relation can hold them.
    await ask(`insert into proof.page values (21, 'page 1', 5); update proof.page set hits = 2`);
    const failed = await until(
      state,
      ([sheet, view]) => view?.state === 'failed' && sheet?.failed_keys === 1,
      60_000,
    );
    expect(failed).toMatchObject([
      { name: 'proof.page_sheet', state: 'active', last_error: expect.stringMatching(/^\w{5}: /) },
      { name: 'proof.page_view', last_error: expect.stringMatching(/^(21000|23505): /) },
    ]);
    expect(await hits('page_view', 1), 'the refreshed one serves what it had').toEqual([1]);
    expect(await hits('page_view', 2)).toEqual([1]);
    await until(
      () => hits('page_sheet', 2),
      ([found]) => found === 2,
      60_000,
    );
    expect(await hits('page_sheet', 1), 'so does the one key').toEqual([1]);
    // Others are not held up.
    await ask(`insert into proof.sale (item_id, buyer, amount) values (1, 'buyer 7', 700)`);
    await until(
      () => ask(`select total from proof.buyer_card where buyer = 'buyer 7' and total > 700`),
      (rows) => rows.length === 1,
      60_000,
    );

    await ask('delete from proof.page where id = 21');
    await untilQuiet(connectionString);
    expect(await hits('page_view', 1)).toEqual([2]);
    expect(await hits('page_sheet', 1)).toEqual([2]);
    await stopHost();
    expect(await faultsOf(connectionString)).toEqual([]);
  });
});
