import { Logger, type Runner, run } from 'graphile-worker';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { installEngine, uninstallEngine } from '../../scripts/lib/engine.ts';
import { createRandom, runSeed } from '../concurrency/lib/random.ts';
import { runScript, type ScriptProcess } from '../host/process.ts';
import { until } from '../host/until.ts';
import { catalogDifference, describeCatalog } from '../lib/catalog.ts';
import { createForeignDatabase, type ForeignDatabase } from '../lib/foreign-database.ts';
import {
  buildShop,
  SETTLE_SHOP,
  SHOP_COUNTERS,
  SHOP_REACTION,
  SHOP_RELATIONS,
  type ShopCounter,
  shopSize,
  tenantId,
  tenantOf,
  wrongRows,
  wrongValues,
} from '../lib/foreign-shop.ts';
import { type Phase, type ShopWriters, startWriters } from './lib/shop-writers.ts';
import { startWaitSampler, type Wait } from './lib/wait-sampler.ts';

/*
 * The engine comes into a database that somebody else has made and filled, while its application
 * writes: installed by the plain owner, counters, relations and a reaction declared, taken out
 * again. No writer may fail; how long one waited is measured; everything derived equals a recount
 * that was written by hand; nothing is left at the end.
 *
 * MILLRACE_FOREIGN_ROWS  rows of the database, in all; default 100,000
 * PROOF_SEED             replays the choices of a run
 */

const rows = Number(process.env.MILLRACE_FOREIGN_ROWS ?? 100_000);
const size = shopSize(rows);
const WRITERS = 6;
/** How long a large database may take for what a small one does in seconds. */
const PATIENCE = 120_000 + rows / 2;
/** More than any wait that is meant to be, far less than an open transaction could cause. */
const LONGEST_WAIT = 5_000;

let db: ForeignDatabase;
let app: string;
let owner: pg.Client;
let host: ScriptProcess | null = null;
let mailer: Runner | null = null;
let writers: ShopWriters | null = null;
let sampler: ReturnType<typeof startWaitSampler> | null = null;
const seed = runSeed();
const figures: string[] = [`foreign database, seed ${seed}`];

/** When the task of the reaction last began, by the customer. */
const mailed = new Map<string, number>();

beforeAll(async () => {
  db = await createForeignDatabase();
  app = await db.createRole('app');
  owner = await db.connect();
  const began = performance.now();
  await buildShop(owner, size, app);
  await owner.query(SETTLE_SHOP);
  await db.administer(`
    create schema audit;
    create table audit.ddl (tag text not null, by name not null default current_user);
    grant usage on schema audit to public;
    grant insert on audit.ddl to public;
    create function audit.note() returns event_trigger language plpgsql as $$
      begin
        insert into audit.ddl (tag) select command_tag from pg_event_trigger_ddl_commands();
      end $$;
    create event trigger note on ddl_command_end execute function audit.note();
    alter database ${db.name} set search_path to "Shop", public`);
  const { rows: counted } = await owner.query<{ rows: string; bytes: string }>(
    `select sum(n)::text as rows, pg_size_pretty(pg_database_size(current_database())) as bytes
    from (
      select count(*) n from "Shop"."Customer" union all select count(*) from "Shop"."Product"
      union all select count(*) from "Shop"."Order" union all select count(*) from "Shop"."order item"
    ) counted`,
  );
  figures.push(
    `${counted[0]!.rows} rows, ${counted[0]!.bytes}, built in ${seconds(performance.now() - began)}`,
  );
}, PATIENCE * 4);

afterAll(async () => {
  console.log(figures.join('\n'));
  await sampler?.stop();
  await writers?.stop().catch(() => undefined);
  await mailer?.stop().catch(() => undefined);
  host?.child.kill('SIGKILL');
  await host?.ended;
  await db?.drop();
}, 60_000);

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;

function report(phase: Phase, wait: Wait | null): void {
  const sorted = phase.statements.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor((sorted.length - 1) * share)]?.toFixed(1);
  figures.push(
    `${phase.name}: ${phase.transactions} transactions in ${seconds(phase.duration)} ` +
      `(${((phase.transactions / phase.duration) * 1000).toFixed(0)}/s), statement p50 ${at(0.5)} ms, ` +
      `p99 ${at(0.99)} ms, longest ${phase.slowest.ms.toFixed(0)} ms; longest wait for a lock ` +
      (wait === null ? 'none' : `${wait.ms.toFixed(0)} ms (${wait.lock})`),
  );
  expect(wait?.ms ?? 0, JSON.stringify(wait)).toBeLessThan(LONGEST_WAIT);
}

describe('into a database in use', () => {
  let before: string[];
  let current: Phase;
  let failed = false;

  /** A test that is of no use after one that failed. */
  function step(name: string, work: () => Promise<void>, timeout: number): void {
    test(
      name,
      async () => {
        if (failed) throw new Error('a step before this one failed');
        failed = true;
        await work();
        failed = false;
      },
      timeout,
    );
  }

  /** Ends a phase of the measurement and begins the next. */
  function next(name: string): void {
    const ended = current;
    current = writers!.phase(name);
    if (ended) report(ended, sampler!.take());
  }

  async function startHost(): Promise<void> {
    host = runScript('worker', { DATABASE_URL: db.url(), LOG_LEVEL: 'info' });
    await host.printed(/"working"/);
  }

  async function stopHost(): Promise<void> {
    host?.child.kill('SIGTERM');
    expect(await host?.ended, host?.output()).toBe(0);
    expect(host?.output()).not.toMatch(/"level":(40|50|60)/);
    host = null;
  }

  async function startMailer(): Promise<void> {
    mailer = await run({
      connectionString: db.url(),
      concurrency: 2,
      pollInterval: 200,
      noHandleSignals: true,
      logger: new Logger(() => () => undefined),
      taskList: {
        customer_mail(payload) {
          const { tenantId, customerNo } = payload as { tenantId: string; customerNo: number };
          mailed.set(`${tenantId}/${customerNo}`, performance.now());
        },
      },
    });
  }

  /** Exact values of a part of each target, in one statement each, while the writers write. */
  async function checkExact(counters: ShopCounter[], round: number): Promise<void> {
    for (const counter of counters) {
      const wrong = await wrongValues(owner, counter, 'exact', round % 100);
      expect(wrong, `${counter.name}, exact while writers write`).toEqual([]);
    }
  }

  beforeAll(async () => {
    before = await describeCatalog(owner);
    const observer = new pg.Client({ connectionString: db.adminUrl });
    observer.on('error', () => undefined);
    await observer.connect();
    sampler = startWaitSampler(observer, 'shop');
    writers = await startWriters({
      connect: () => db.connect(app, { application_name: 'shop' }),
      writers: WRITERS,
      size,
      random: createRandom(seed),
      firstOrder: Math.ceil(size.orders / WRITERS) * WRITERS,
    });
    current = writers.phase('alone');
  });

  step(
    'it is installed by a plain owner',
    async () => {
      await writers!.committed(3_000);
      next('install');
      const result = await installEngine(db.url());
      expect(result.owner).toBe(db.owner);
      await startHost();
      await startMailer();
      await writers!.committed(300);
    },
    PATIENCE,
  );

  step(
    'counters are declared, one after the other',
    async () => {
      next('counters declared');
      for (const [index, counter] of SHOP_COUNTERS.entries()) {
        const began = performance.now();
        await owner.query(counter.declaration);
        figures.push(`  ${counter.name} declared in ${seconds(performance.now() - began)}`);
        await writers!.committed(100);
        await checkExact(SHOP_COUNTERS.slice(0, index + 1), index);
      }
      next('counters counted');
      const began = performance.now();
      await until(
        async () =>
          (await owner.query(`select from millrace.derivation where state <> 'active'`)).rowCount,
        (left) => left === 0,
        PATIENCE,
      );
      figures.push(`  all active after ${seconds(performance.now() - began)}`);
      await writers!.committed(500);
      await checkExact(SHOP_COUNTERS, 50);
    },
    PATIENCE * 2,
  );

  step(
    'relations and a reaction are declared',
    async () => {
      next('relations declared');
      for (const { name, declaration } of [...SHOP_RELATIONS, SHOP_REACTION]) {
        const began = performance.now();
        await owner.query(declaration);
        figures.push(`  ${name} declared in ${seconds(performance.now() - began)}`);
        await writers!.committed(100);
      }
      writers!.shipped.clear();
      next('relations filled');
      const began = performance.now();
      await until(
        async () =>
          (await owner.query(`select from millrace.derivation where state <> 'active'`)).rowCount,
        (left) => left === 0,
        PATIENCE,
      );
      figures.push(`  all active after ${seconds(performance.now() - began)}`);
      next('everything kept');
      await writers!.committed(3_000);
      await checkExact(SHOP_COUNTERS, 77);
      const [overview] = SHOP_RELATIONS;
      for (let no = 0; no < 40; no += 1) {
        const key = 'where "tenantId" = $1 and "no" = $2';
        const { rows: wrong } = await owner.query(
          `(select * from ${overview!.live} ${key}
            except all select * from ${overview!.definition} ${key})
          union all
          (select * from ${overview!.definition} ${key}
            except all select * from ${overview!.live} ${key})`,
          [tenantId(tenantOf(no, size)), no],
        );
        expect(wrong, 'the live view, by key, while writers write').toEqual([]);
      }
    },
    PATIENCE * 2,
  );

  step(
    'everything equals a recount when the writers are done',
    async () => {
      next('the end');
      await writers!.stop();
      report(current, sampler!.take());
      const shipped = new Map(writers!.shipped);
      writers = null;
      for (const counter of SHOP_COUNTERS) {
        expect(await wrongValues(owner, counter, 'exact'), counter.name).toEqual([]);
        await until(
          () => wrongValues(owner, counter, 'stored'),
          (wrong) => wrong.length === 0,
          PATIENCE,
        );
      }
      for (const relation of SHOP_RELATIONS) {
        await until(
          () => wrongRows(owner, relation, relation.stored),
          (wrong) => wrong.length === 0,
          PATIENCE,
        );
      }
      expect(shipped.size).toBeGreaterThan(0);
      await until(
        () => [...shipped].filter(([key, at]) => (mailed.get(key) ?? 0) < at),
        (late) => late.length === 0,
        PATIENCE,
      );
      const { rows: drift } = await owner.query('table millrace.drift_log');
      expect(drift).toEqual([]);
      const { rows: failures } = await owner.query(
        `select name, error from millrace.run_log where kind = 'failure'`,
      );
      expect(failures).toEqual([]);
      const { rows: reconciled } = await owner.query<{ name: string; keys_drifted: string }>(
        'select name, keys_drifted from millrace.reconcile()',
      );
      expect(reconciled.map(({ name }) => name)).toEqual(
        expect.arrayContaining(SHOP_COUNTERS.map(({ name }) => name)),
      );
      expect(reconciled.filter(({ keys_drifted }) => Number(keys_drifted) > 0)).toEqual([]);
      const [{ deadlocks }] = (await db.administer<{ deadlocks: number }>(
        `select deadlocks::integer from pg_stat_database where datname = current_database()`,
      )) as [{ deadlocks: number }];
      expect(deadlocks).toBe(0);
      figures.push(
        `${shipped.size} customers shipped to, all mailed after their last order; 0 deadlocks`,
      );
    },
    PATIENCE * 3,
  );

  step(
    'what is checked would be noticed',
    async () => {
      await owner.query(
        `update "Shop"."Product" set "sold Count" = "sold Count" + 1 where "SKU" = 'SKU-3'`,
      );
      expect(await wrongValues(owner, SHOP_COUNTERS[3]!, 'stored')).toHaveLength(1);
      expect(await wrongValues(owner, SHOP_COUNTERS[3]!, 'exact')).toHaveLength(1);
      await owner.query(
        `update "Shop"."Product" set "sold Count" = "sold Count" - 1 where "SKU" = 'SKU-3'`,
      );
      await owner.query('begin');
      await owner.query('delete from "Shop"."Customer overview" where "no" = 5');
      expect(await wrongRows(owner, SHOP_RELATIONS[0]!, SHOP_RELATIONS[0]!.stored)).toHaveLength(1);
      await owner.query('rollback');
      expect(catalogDifference(before, await describeCatalog(owner))).not.toEqual([]);
    },
    PATIENCE,
  );

  step(
    'it is taken out while the writers write, and leaves no trace',
    async () => {
      const values = `select "tenantId", "no", "orderCount", spent from "Shop"."Customer"
      order by 1, 2`;
      writers = await startWriters({
        connect: () => db.connect(app, { application_name: 'shop' }),
        writers: WRITERS,
        size,
        random: createRandom(`${seed}/second`),
        firstOrder: 10_000_000 * WRITERS,
      });
      current = writers.phase('uninstall');
      await writers.committed(200);
      await stopHost();
      await mailer?.stop();
      mailer = null;
      const { derivations, left } = await uninstallEngine(db.url());
      expect(derivations).toHaveLength(SHOP_COUNTERS.length + SHOP_RELATIONS.length + 1);
      expect(left).toHaveLength(SHOP_COUNTERS.length);
      const { rows: kept } = await owner.query(values);
      next('alone again');
      await writers.committed(1_000);
      await writers.stop();
      report(current, sampler!.take());
      writers = null;
      expect(catalogDifference(before, await describeCatalog(owner))).toEqual([]);
      expect((await owner.query(values)).rows).toEqual(kept);
      expect(kept.some(({ orderCount }) => orderCount > 0)).toBe(true);
      const looks = await sampler!.stop();
      sampler = null;
      figures.push(`locks looked at ${looks} times`);
    },
    PATIENCE,
  );
});
