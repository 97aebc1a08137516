import { cpus, loadavg, platform, release, totalmem } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { migrateUp } from '../lib/migrations.ts';
import { ownerConfig } from '../lib/pg-owner.ts';
import { startTicker } from '../lib/ticker.ts';
import { startWorker } from '../lib/worker.ts';
import { describeServer, median, openServer, withClient } from './hot-key.ts';

/*
 * What it costs to keep a derived relation fresh when some of its keys change: incrementally, by a
 * refresh of the engine's, and by a plain refresh of a materialized view as the peer. One
 * definition, a join and an aggregate, stands in all three over the same tables; one change touches
 * all three. Costs are taken in one session each, warm as in a host, in turn and repeated; the time
 * to fresh, from the commit until the stored row has the new value, with a real ticker and worker.
 * After every step the relation is compared with its definition: fast and wrong is no result.
 */

export interface MaterializeOptions {
  /** Rows of the source; there are a tenth as many keys. */
  rows: number;
  rounds: number;
  databaseUrl: string | null;
  onProgress?: (message: string) => void;
}

export interface Change {
  /** How many keys the change touched. */
  keys: number;
  /** Milliseconds of each round: the drain and the job that recomputes. */
  incrementalMs: number[];
  /** The drain and the job that refreshes concurrently. */
  refreshMs: number[];
  /** A plain `refresh materialized view`, not concurrently. */
  plainRefreshMs: number[];
  /** A read of `_live` by key while the keys wait for the job. */
  liveReadMs: number[];
  /** The same while the changes are pending in the log. */
  liveReadPendingMs: number[];
  /** A read of the stored row by key. */
  storedReadMs: number[];
  /** The writing statement itself, its log rows included. */
  writeMs: number[];
  /** From the commit to the stored row having the new value, ticker and worker running. */
  incrementalFreshMs: number[];
  refreshFreshMs: number[];
}

export interface MaterializeResult {
  rows: number;
  keys: number;
  rounds: number;
  server: { version: string; settings: Record<string, string>; embedded: boolean };
  changes: Change[];
}

const CHANGES = [1, 10, 100, 1_000, 10_000];
const READS = 20;
const AUTHORS = 1_000;

/**
 * Runs the benchmark; about three minutes with a million rows.
 *
 * @throws Error when a relation is not equal to its definition.
 */
export async function benchMaterialize(options: MaterializeOptions): Promise<MaterializeResult> {
  const server = await openServer({ databaseUrl: options.databaseUrl, profile: false });
  const progress = options.onProgress ?? (() => undefined);
  const name = `millrace_bench_${process.pid}`;
  try {
    return await withClient(server.connectionString, async (admin) => {
      await admin.query(`create database ${name} template template0`);
      try {
        const url = new URL(server.connectionString);
        url.pathname = `/${name}`;
        const connectionString = url.href;
        progress('migrating');
        await migrateUp(connectionString);
        progress(`making ${options.rows} rows`);
        const keys = await fill(connectionString, options.rows);
        const changes: Change[] = [];
        for (const touched of CHANGES.filter((it) => it <= keys)) {
          progress(`costs of ${touched} keys`);
          changes.push(await measureCosts(connectionString, touched, options.rounds));
        }
        for (const change of changes) {
          progress(`time to fresh of ${change.keys} keys`);
          for (const relation of ['card', 'card_refreshed'] as const) {
            const times = await measureFreshness(
              connectionString,
              relation,
              change.keys,
              options.rounds,
            );
            change[relation === 'card' ? 'incrementalFreshMs' : 'refreshFreshMs'] = times;
          }
        }
        return {
          rows: options.rows,
          keys,
          rounds: options.rounds,
          server: { ...(await describeServer(admin)), embedded: server.embedded },
          changes,
        };
      } finally {
        await admin.query(`drop database if exists ${name} with (force)`);
      }
    });
  } finally {
    await server.stop();
  }
}

/** Makes the tables, their rows and the relations; returns the number of keys. */
async function fill(connectionString: string, rows: number): Promise<number> {
  const keys = Math.max(10, Math.floor(rows / 10));
  await withOwner(connectionString, async (client) => {
    await client.query(`
      create schema shop;
      create table shop.author (id bigint primary key, name text not null);
      create table shop.item (
        id bigint primary key, author_id bigint not null references shop.author, title text not null
      );
      create index on shop.item (author_id);
      create table shop.rating (
        item_id bigint not null references shop.item, rater_id bigint not null,
        stars integer not null, primary key (item_id, rater_id)
      );
    `);
    await client.query(
      `insert into shop.author select i, 'author ' || i from generate_series(1, $1::integer) i`,
      [AUTHORS],
    );
    await client.query(
      `insert into shop.item select i, i % $2::integer + 1, 'item ' || i
       from generate_series(1, $1::integer) i`,
      [keys, AUTHORS],
    );
    await client.query(
      `insert into shop.rating select i % $2::integer + 1, i / $2::integer, i % 5 + 1
       from generate_series(0, $1::integer - 1) i`,
      [rows, keys],
    );
    await client.query(`
      create view shop.card_definition as
      select i.id as item_id, i.title, a.name as author, count(r.*) as rating_count,
        coalesce(avg(r.stars), 0)::numeric(4, 2) as average,
        count(*) filter (where r.stars = 5) as best_count
      from shop.item i
      join shop.author a on a.id = i.author_id
      left join shop.rating r on r.item_id = i.id
      group by i.id, a.id;
      create materialized view shop.card_plain as select * from shop.card_definition;
      create unique index on shop.card_plain (item_id);
    `);
    const sources = JSON.stringify({
      'shop.item': 'id',
      'shop.author': 'select i.id from shop.item i join changed on changed.id = i.author_id',
      'shop.rating': 'item_id',
    });
    await client.query(
      `select millrace.materialize('shop.card', 'shop.card_definition', '{item_id}',
         sources => $1, debounce => '0')`,
      [sources],
    );
    await client.query(
      `select millrace.materialize('shop.card_refreshed', 'shop.card_definition', '{item_id}',
         strategy => 'refresh', debounce => '0')`,
    );
    for (const relation of RELATIONS) {
      await client.query('call millrace.recompute($1)', [JSON.stringify({ name: relation })]);
    }
  });
  await withClient(connectionString, (client) => client.query('vacuum analyze'));
  return keys;
}

const RELATIONS = ['shop.card', 'shop.card_refreshed'];

async function measureCosts(
  connectionString: string,
  keys: number,
  rounds: number,
): Promise<Change> {
  const change: Change = {
    keys,
    incrementalMs: [],
    refreshMs: [],
    plainRefreshMs: [],
    liveReadMs: [],
    liveReadPendingMs: [],
    storedReadMs: [],
    writeMs: [],
    incrementalFreshMs: [],
    refreshFreshMs: [],
  };
  await withOwner(connectionString, (writer) =>
    withOwner(connectionString, async (host) => {
      // The first round warms the sessions up, as those of a host are, and is not reported.
      for (let round = 0; round <= rounds; round += 1) {
        const results: [keyof Omit<Change, 'keys'>, number][] = [];
        results.push(['writeMs', await timed(() => touch(writer, keys))]);
        results.push(['liveReadPendingMs', await readTime(writer, 'shop.card_live', keys)]);
        const drain = await timed(() => host.query('select millrace.drain(100000)'));
        results.push(['liveReadMs', await readTime(writer, 'shop.card_live', keys)]);
        results.push(['storedReadMs', await readTime(writer, 'shop.card', keys)]);
        results.push(['incrementalMs', drain + (await timed(() => recompute(host, 'shop.card')))]);
        results.push([
          'refreshMs',
          drain + (await timed(() => recompute(host, 'shop.card_refreshed'))),
        ]);
        results.push([
          'plainRefreshMs',
          await timed(() => host.query('refresh materialized view shop.card_plain')),
        ]);
        for (const relation of ['shop.card', 'shop.card_refreshed', 'shop.card_plain']) {
          await expectFresh(writer, relation);
        }
        if (round > 0) for (const [name, value] of results) change[name].push(value);
      }
    }),
  );
  return change;
}

async function recompute(client: pg.Client, name: string): Promise<void> {
  await client.query('call millrace.recompute($1)', [JSON.stringify({ name })]);
}

/** Changes one rating of each of so many items, spread over all of them. */
async function touch(client: pg.Client, keys: number): Promise<void> {
  await client.query(
    `update shop.rating r set stars = r.stars % 5 + 1
     from (select count(*) as n from shop.item) c
     where r.rater_id = 0 and r.item_id % (c.n / $1::integer) = 1 % (c.n / $1::integer)`,
    [keys],
  );
}

/** Median milliseconds of a read by key of a touched item. */
async function readTime(client: pg.Client, relation: string, keys: number): Promise<number> {
  const { rows } = await client.query<{ id: string }>(
    `select i.id from shop.item i, (select count(*) as n from shop.item) c
     where i.id % (c.n / $1::integer) = 1 % (c.n / $1::integer)
     order by random() limit ${READS}`,
    [keys],
  );
  const times: number[] = [];
  for (let i = 0; i < READS; i += 1) {
    const id = rows[i % rows.length]?.id;
    times.push(
      await timed(() =>
        client.query({
          name: `read ${relation}`,
          text: `select * from ${relation} where item_id = $1`,
          values: [id],
        }),
      ),
    );
  }
  return median(times);
}

/** Milliseconds from the commit of a change until its last key is fresh in the stored relation. */
async function measureFreshness(
  connectionString: string,
  relation: 'card' | 'card_refreshed',
  keys: number,
  rounds: number,
): Promise<number[]> {
  const other = relation === 'card' ? 'card_refreshed' : 'card';
  return await withOwner(connectionString, async (client) => {
    await client.query('select millrace.pause($1)', [`shop.${other}`]);
    const { rows: touched } = await client.query<{ last: string }>(
      `select max(i.id) as last from shop.item i, (select count(*) as n from shop.item) c
       where i.id % (c.n / $1::integer) = 1 % (c.n / $1::integer)`,
      [keys],
    );
    const last = touched[0]?.last;
    const worker = await startWorker({ connectionString });
    const ticker = startTicker({ connectionString });
    try {
      const times: number[] = [];
      for (let round = 0; round <= rounds; round += 1) {
        await touch(client, keys);
        const started = performance.now();
        for (;;) {
          // The job goes in the order of the key: the last is the last to be fresh.
          const { rows } = await client.query<{ fresh: boolean }>({
            name: `fresh ${relation}`,
            text: `select t.average = d.average and t.best_count = d.best_count as fresh
              from shop.${relation} t
              join shop.card_definition d on d.item_id = t.item_id
              where t.item_id = $1 and d.item_id = $1`,
            values: [last],
          });
          if (rows[0]?.fresh === true) break;
          await sleep(5);
        }
        if (round > 0) times.push(performance.now() - started);
      }
      return times;
    } finally {
      await ticker.stop();
      await worker.stop();
      await client.query('select millrace.resume($1)', [`shop.${other}`]);
      await client.query('call millrace.recompute($1)', [
        JSON.stringify({ name: `shop.${other}` }),
      ]);
    }
  });
}

async function expectFresh(client: pg.Client, relation: string): Promise<void> {
  const { rows } = await client.query<{ wrong: string }>(
    `select count(*) as wrong from (
       (table ${relation} except all table shop.card_definition)
       union all
       (table shop.card_definition except all table ${relation})
     ) x`,
  );
  if (rows[0]?.wrong !== '0') {
    throw new Error(`${relation}: ${rows[0]?.wrong} rows differ from the definition`);
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

async function withOwner<T>(
  connectionString: string,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client(ownerConfig(connectionString, 'bench'));
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** The result as programs read it: medians over the rounds. */
export function materializeJson({ rows, changes }: MaterializeResult): Record<string, unknown> {
  return {
    rows,
    changes: changes.map((change) =>
      Object.fromEntries(
        Object.entries(change).map(([name, value]) => [
          name,
          typeof value === 'number' ? value : Math.round(median(value) * 1_000) / 1_000,
        ]),
      ),
    ),
  };
}

/** The result for people. */
export function materializeReport({
  rows,
  keys,
  rounds,
  server,
  changes,
}: MaterializeResult): string {
  const processors = cpus();
  const settings = Object.entries(server.settings).map(([name, value]) => `${name}=${value}`);
  const columns: [string, keyof Omit<Change, 'keys'>][] = [
    ['incremental', 'incrementalMs'],
    ['refresh', 'refreshMs'],
    ['plain refresh', 'plainRefreshMs'],
    ['live read', 'liveReadMs'],
    ['(pending)', 'liveReadPendingMs'],
    ['stored read', 'storedReadMs'],
    ['write', 'writeMs'],
    ['fresh incr.', 'incrementalFreshMs'],
    ['fresh refr.', 'refreshFreshMs'],
  ];
  const ten = changes.find((change) => change.keys === 10);
  const ratio = ten ? median(ten.refreshMs) / median(ten.incrementalMs) : NaN;
  return [
    `materialize: ${rows} source rows, ${keys} keys; medians of ${rounds} rounds (lowest – highest)`,
    `machine  ${processors.length} × ${processors[0]?.model.trim()}, ` +
      `${Math.round(totalmem() / 2 ** 30)} GB, ${platform()} ${release()}, ` +
      `load ${loadavg()[0]?.toFixed(1)}; client and server share it`,
    `server   Postgres ${server.version}${server.embedded ? ' (embedded)' : ''}: ${settings.join(', ')}`,
    '',
    'milliseconds',
    ['keys'.padStart(6), ...columns.map(([title]) => title.padStart(24))].join(''),
    ...changes.map((change) =>
      [
        String(change.keys).padStart(6),
        ...columns.map(([, name]) => spread(change[name]).padStart(24)),
      ].join(''),
    ),
    '',
    ...(ten
      ? [
          `refresh / incremental at 10 keys: ${ratio.toFixed(0)} ` +
            `(target 100: ${ratio >= 100 ? 'met' : 'missed'})`,
          '',
        ]
      : []),
  ].join('\n');
}

function spread(values: readonly number[]): string {
  const digits = (value: number) => value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
  return `${digits(median(values))} (${digits(Math.min(...values))} – ${digits(Math.max(...values))})`;
}
