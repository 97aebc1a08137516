import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as pause } from 'node:timers/promises';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { startWorker, type Worker } from '../../../scripts/lib/worker.ts';
import { taskDirectory } from './jobs.ts';
import {
  type OperationFilter,
  operations,
  planTransaction,
  type Transaction,
} from './operations.ts';
import { type Comparison, compare, compareLive, keptByKey, settle } from './oracle.ts';
import { createRandom, type Random } from './random.ts';
import {
  cardCall,
  cardDefinition,
  EDITIONS,
  REACTIONS,
  RELATIONS,
  SHEET_CALL,
  sheetDefinition,
} from './relations.ts';
import { DECLARES, startSampler, type WaitReport } from './sampler.ts';
import { createSessions, ENGINE_ROLES, isDisconnect, type Session, sqlState } from './session.ts';
import { type Derived, TABLES, WORLD } from './world.ts';

/*
 * A random history: clients write, several connections drain, tick, reconcile, pause and resume,
 * declare anew, run jobs beside a worker; a checker compares exact and live reads with recounts all
 * the time, a sampler looks for waits, and a killer terminates backends. The amount of work is given,
 * not the time; nothing depends on a clock.
 */

export interface HistoryOptions {
  connectionString: string;
  seed: string;
  /** Transactions of each client. */
  transactions: number;
  /** Default 8. */
  clients?: number;
  /** Whether drains, reconciles and checks run; false when the engine was dropped. */
  engine?: boolean;
  /** Whether backends are terminated. Default true. */
  kills?: boolean;
  /** Whether derivations are paused and resumed. Default true. */
  maintenance?: boolean;
  filter?: OperationFilter;
  /** Each operation in a transaction of its own. Default false. */
  alone?: boolean;
  derived?: readonly Derived[];
}

export interface HistoryReport {
  seed: string;
  seconds: number;
  committed: number;
  rolledBack: number;
  /** Transactions that ended with an error of Postgres, by SQLSTATE. */
  failed: Record<string, number>;
  /** Serialization failures by the tag of the statement. */
  conflicts: Record<string, number>;
  /** Commits whose connection was killed: nobody knows. */
  unknown: number;
  disconnected: number;
  kills: number;
  /** Statements that compared exact reads with recounts, and the values that they compared. */
  checks: number;
  values: number;
  drains: number;
  drainedRows: number;
  reconciles: number;
  pauses: number;
  /** Calls of a relation's job, and declarations with another definition or strategy. */
  recomputes: number;
  declarations: number;
  /** Runs of reactions' tasks. */
  reactions: number;
  deadlocks: number;
  /** What the victims of deadlocks were doing. */
  victims: Record<string, number>;
  waits: WaitReport;
  faults: string[];
  /** Seconds until the first fault. */
  caughtAfter: number | null;
}

/** Runs a history to its end, or to its first fault, and settles it. */
export async function runHistory(options: HistoryOptions): Promise<HistoryReport> {
  const derived = options.derived ?? WORLD;
  const engine = options.engine ?? true;
  const root = createRandom(options.seed);
  const sessions = createSessions(options.connectionString);
  const possible = operations({ ...options.filter, plain: !engine });
  const names = [
    ...derived.map(({ name }) => name),
    ...RELATIONS.map(({ name }) => name),
    ...REACTIONS.map(({ name }) => name),
  ];
  const begun = performance.now();
  const report: Omit<HistoryReport, 'waits' | 'seconds'> = {
    seed: options.seed,
    committed: 0,
    rolledBack: 0,
    failed: {},
    conflicts: {},
    unknown: 0,
    disconnected: 0,
    kills: 0,
    checks: 0,
    values: 0,
    drains: 0,
    drainedRows: 0,
    reconciles: 0,
    pauses: 0,
    recomputes: 0,
    declarations: 0,
    reactions: 0,
    deadlocks: 0,
    victims: {},
    faults: [],
    caughtAfter: null,
  };
  let over = false;

  function fault(...lines: string[]): void {
    if (lines.length === 0) return;
    report.caughtAfter ??= (performance.now() - begun) / 1000;
    report.faults.push(...lines);
    over = true;
  }

  async function check(client: pg.ClientBase, of: readonly Derived[], when: string): Promise<void> {
    note(await compare(client, of), when);
  }

  function note({ values, faults }: Comparison, when: string): void {
    report.checks += 1;
    report.values += values;
    fault(...faults.map((line) => `${when}: ${line}`));
  }

  /** Relations that are always kept by key: their live views are never away. */
  const steady = RELATIONS.filter(
    ({ name, strategy }) => strategy === 'incremental' && name !== 'proof.buyer_card',
  );

  /**
   * Runs `work` on a session; errors are counted, a killed connection is opened again. Returns how it
   * went: done, disconnected, or an SQLSTATE.
   */
  async function guarded(
    session: Session,
    work: (client: pg.Client) => Promise<void>,
  ): Promise<string> {
    let client: pg.Client | null = null;
    try {
      client = await session.client();
      await work(client);
      return 'done';
    } catch (error) {
      if (isDisconnect(error)) {
        report.disconnected += 1;
        await session.reset();
        return 'disconnected';
      }
      const state = sqlState(error);
      count(session, state, error as pg.DatabaseError);
      await client?.query('rollback').catch(() => session.reset());
      return state;
    }
  }

  function count(session: Session, state: string, error: pg.DatabaseError): void {
    if (state === '40P01') {
      report.deadlocks += 1;
      const pids = [...(error.detail ?? '').matchAll(/^Process (\d+) waits/gm)].map(([, pid]) =>
        Number(pid),
      );
      const roles = pids.map((pid) => sessions.roleOf(pid) ?? 'unknown');
      if (roles.some((role) => role !== 'unknown' && ENGINE_ROLES.has(role))) {
        fault(`deadlock between ${roles.join(', ')}: ${error.detail}`);
      }
    }
    if (session.role === 'writer') {
      report.failed[state] = (report.failed[state] ?? 0) + 1;
      if (!EXPECTED.has(state))
        fault(`a writer got ${state}: ${error.message} (${error.where?.slice(0, 400)})`);
    } else if (!(ENGINE_ERRORS[session.role] ?? ['40001']).includes(state)) {
      fault(`${session.role} got ${state}: ${error.message} (${error.where?.slice(0, 400)})`);
    }
  }

  async function writer(index: number): Promise<void> {
    const random = root.fork(`client ${index}`);
    const session = sessions.open('writer');
    for (let i = 0; i < options.transactions && !over; i += 1) {
      const plan = planTransaction(random, possible, options.alone);
      const about = random.pick(derived);
      let sending = '';
      const outcome = await guarded(session, async (client) => {
        await client.query(`begin isolation level ${plan.isolation}`);
        await send(client, plan, (tag) => {
          sending = tag;
        });
        // In an older snapshot a truncate since then, which is not MVCC-safe, would show.
        if (plan.checks && engine && plan.isolation === 'read committed') {
          await check(client, [about], 'inside a writing transaction');
          if (random.chance(0.3)) {
            note(await compareLive(client, [random.pick(steady)]), 'inside a writing transaction');
          }
        }
        await pause(plan.linger);
        sending = plan.rollback ? 'rollback' : 'commit';
        await client.query(sending);
        report[plan.rollback ? 'rolledBack' : 'committed'] += 1;
      });
      if (outcome === 'disconnected' && sending === 'commit') report.unknown += 1;
      if (outcome === '40001') report.conflicts[sending] = (report.conflicts[sending] ?? 0) + 1;
      if (outcome === '40P01') report.victims[sending] = (report.victims[sending] ?? 0) + 1;
    }
    await session.reset();
  }

  /** Repeats `work` until the writers are done. */
  async function meanwhile(
    session: Session,
    name: string,
    work: (client: pg.Client, random: Random) => Promise<void>,
    rest: number,
  ): Promise<void> {
    const random = root.fork(name);
    while (!over) {
      await guarded(session, (client) => work(client, random));
      await pause(random.between(0, rest));
    }
    await session.reset();
  }

  async function drain(client: pg.Client, random: Random): Promise<void> {
    const call = random.pick([
      'millrace.drain()',
      'millrace.drain(7)',
      `millrace.drain(${random.between(1, 60)})`,
      'millrace.tick()',
    ]);
    const isolated = random.chance(0.1);
    if (isolated) await client.query('begin isolation level repeatable read');
    const { rows } = await client.query<{ result: { busy?: boolean; rows: number } }>(
      `select ${call} as result`,
    );
    if (isolated) await client.query(random.chance(0.2) ? 'rollback' : 'commit');
    else if (!rows[0]!.result.busy) {
      report.drains += 1;
      report.drainedRows += rows[0]!.result.rows;
    }
  }

  async function reconcile(client: pg.Client, random: Random): Promise<void> {
    const name = random.pick(names);
    if (random.chance(0.3)) {
      // Between the batches drains and jobs go on.
      await client.query('call millrace.reconcile_batches($1)', [
        random.pick([
          { name, repair: true, size: 3 },
          { name, sample: 2 },
          { rolling: true, size: 2 },
          { size: 2 },
        ]),
      ]);
    } else {
      await client.query('select millrace.reconcile($1, $2)', [
        random.chance(0.2) ? null : name,
        random.chance(0.5),
      ]);
    }
    report.reconciles += 1;
    const { rows } = await client.query<{ line: string }>(
      `select format('false drift: %s, %s keys, %s, %s', d.name, d.keys_drifted, d.drift, d.examples) as line
      from millrace.drift_log d`,
    );
    fault(...rows.map(({ line }) => line));
  }

  /** Pauses, leaves it for a while, and has it counted again: at once, or by the drains in batches. */
  async function maintain(client: pg.Client, random: Random): Promise<void> {
    if (random.chance(0.4)) return await declare(client, random);
    const name = random.pick(names);
    const target = derived.find((it) => it.name === name)?.target ?? 'proof.noted_item';
    await client.query('select millrace.pause($1)', [name]);
    report.pauses += 1;
    await pause(random.between(0, 100));
    if (random.chance(0.5)) {
      await client.query('select millrace.resume($1)', [name]);
    } else {
      // Only a read committed transaction counts at once.
      await client.query('begin isolation level repeatable read');
      await client.query('select millrace.resume($1)', [name]);
      await client.query('commit');
      for (let more = true; more && !over; ) {
        await client.query('begin');
        await client.query('select millrace.lock_engine()');
        const { rows } = await client.query<{ more: boolean }>(
          'select millrace.backfill(2) as more',
        );
        more = rows[0]!.more;
        await client.query('commit');
      }
    }
    if (random.chance(0.3)) await client.query('select millrace.run_now($1)', [name]);
    if (random.chance(0.3)) await client.query(`vacuum (analyze, skip_locked) ${target}`);
  }

  /** Declares anew: with another definition, or the other strategy. */
  async function declare(client: pg.Client, random: Random): Promise<void> {
    const edition = random.pick(EDITIONS);
    const declaration = random.pick([
      `begin; ${sheetDefinition(edition)}; ${SHEET_CALL}; commit`,
      `begin; ${cardDefinition(edition)};
        ${cardCall(random.pick(['incremental', 'refresh']))}; commit`,
      cardCall(random.pick(['incremental', 'refresh'])),
    ]);
    await client.query(`${DECLARES} ${declaration}`);
    report.declarations += 1;
  }

  /** What the worker does when it has a job; here whether there is one or not. */
  async function job(client: pg.Client, random: Random): Promise<void> {
    const name = random.pick(RELATIONS).name;
    await client.query('call millrace.recompute($1)', [{ name }]);
    report.recomputes += 1;
  }

  async function checker(client: pg.Client, random: Random): Promise<void> {
    if (random.chance(0.75)) {
      await check(client, derived, 'read committed');
      await checkRelations(client, random);
      return;
    }
    // A truncate is not MVCC-safe: tables first, then the snapshot.
    await client.query('begin isolation level repeatable read');
    await client.query(`lock table ${TABLES.join(', ')} in access share mode`);
    await check(client, derived, 'repeatable read');
    note(await compareLive(client, steady), 'repeatable read');
    await pause(random.between(0, 150));
    await check(client, derived, 'repeatable read, again');
    note(await compareLive(client, steady), 'repeatable read, again');
    await client.query('commit');
  }

  async function checkRelations(client: pg.Client, random: Random): Promise<void> {
    note(await compareLive(client, steady), 'read committed');
    if (random.chance(0.3)) {
      try {
        note(await compareLive(client, await keptByKey(client)), 'read committed');
      } catch (error) {
        // Its strategy was changed after we asked.
        if (sqlState(error) !== '42P01') throw error;
      }
    }
    const { rows: empty } = await client.query<{ line: string }>(
      `select format('%s was seen empty', r.name) as line
      from (
        select 'proof.shop_sheet' as name, exists (select from proof.shop_sheet) as is_filled
        union all select 'proof.shop_view', exists (select from proof.shop_view)
        union all select 'proof.region_sheet', exists (select from proof.region_sheet)
        union all select 'proof.region_view', exists (select from proof.region_view)
      ) r where not r.is_filled`,
    );
    const { rows: failed } = await client.query<{ line: string }>(
      `select format('job %s: %s', j.task_identifier, j.last_error) as line
      from graphile_worker.jobs j where j.last_error !~* 'terminat'
      union all
      select format('%s of %s: %s', l.kind, l.name, l.error) from millrace.run_log l
      where l.error is not null`,
    );
    fault(...empty.map(({ line }) => line), ...failed.map(({ line }) => line));
  }

  async function killer(): Promise<void> {
    const session = sessions.open('sampler');
    const random = root.fork('killer');
    const victims: Session['role'][] = engine
      ? ['writer', 'writer', 'writer', 'drain', 'job', 'job', 'reconcile', 'maintenance']
      : ['writer'];
    while (!over) {
      await pause(random.between(100, 250));
      const role = random.pick(victims);
      const pids = sessions.all().flatMap((it) => (it.role === role ? (it.pid() ?? []) : []));
      await guarded(session, async (client) => {
        if (role === 'job') {
          const { rows } = await client.query<{ pid: number }>(
            `select a.pid from pg_stat_activity a
            where a.datname = current_database() and a.application_name = 'millrace worker'`,
          );
          pids.push(...rows.map(({ pid }) => pid));
        }
        if (pids.length === 0) return;
        const { rows } = await client.query<{ killed: boolean }>(
          'select pg_terminate_backend($1) as killed',
          [random.pick(pids)],
        );
        if (rows[0]!.killed) report.kills += 1;
      });
    }
    await session.reset();
  }

  const worker = engine
    ? await startWorld(options.connectionString, sessions.open('checker'))
    : null;
  const sampler = startSampler(sessions);
  const writing = Promise.all(Array.from({ length: options.clients ?? 8 }, (_, i) => writer(i)));
  const others = [
    ...(engine
      ? [
          ...[1, 2, 3].map((i) => meanwhile(sessions.open('drain'), `drain ${i}`, drain, 40)),
          ...[1, 2].map((i) =>
            meanwhile(sessions.open('reconcile'), `reconcile ${i}`, reconcile, 1500),
          ),
          ...[1, 2].map((i) => meanwhile(sessions.open('job'), `job ${i}`, job, 60)),
          meanwhile(sessions.open('checker'), 'checker', checker, 20),
          ...((options.maintenance ?? true)
            ? [meanwhile(sessions.open('maintenance'), 'maintenance', maintain, 1000)]
            : []),
        ]
      : []),
    ...((options.kills ?? true) ? [killer()] : []),
  ];
  try {
    await Promise.race([writing, Promise.all([writing, ...others])]);
    await writing;
    over = true;
    await Promise.all(others);
    await worker?.stop();
    const waits = await sampler.stop();
    if (engine) {
      const session = sessions.open('checker');
      const settled = await settle(await session.client(), derived, {
        slice: root.fork('end').pick([7, 500, 20_000]),
      });
      report.values += settled.values;
      report.checks += 2;
      fault(...settled.faults);
      const { rows } = await (await session.client()).query<{ runs: number }>(
        `select coalesce(sum(n.runs), 0)::integer as runs
        from (select runs from proof.noted_item union all select runs from proof.noted_shop) n`,
      );
      report.reactions = rows[0]!.runs;
    }
    return { ...report, waits, seconds: (performance.now() - begun) / 1000 };
  } finally {
    over = true;
    await worker?.stop();
    await sessions.close();
  }
}

/** A worker as the host runs it, with the world's tasks; may be stopped twice. */
async function startWorld(connectionString: string, session: Session): Promise<Worker> {
  const tasks = await taskDirectory(await session.client());
  await session.reset();
  const worker = await startWorker({
    connectionString,
    concurrency: 3,
    pollInterval: 200,
    taskDirectory: tasks.path,
  });
  let stopping: Promise<void> | null = null;
  return {
    stop() {
      stopping ??= worker.stop().then(() => tasks.remove());
      return stopping;
    },
  };
}

/** What the engine's own statements may get, beside serialization failures of drains. */
const ENGINE_ERRORS: Partial<Record<Session['role'], string[]>> = {
  reconcile: [],
  job: [],
  // A declaration gives way to transactions that stay long on its tables.
  maintenance: ['40001', '55P03'],
};

/** What transactions that meet may get from Postgres or from the application. */
const EXPECTED = new Set([
  '40001', // serialization failure
  '40P01', // deadlock
  '55P03', // lock timeout of a truncate
  '23503', // the row referenced is gone
  '23505', // the row is there already
  '21000', // merge or on conflict met a row twice
  'DL001',
  'DL002',
  'DL003',
]);

async function send(
  client: pg.Client,
  plan: Transaction,
  report: (tag: string) => void,
): Promise<void> {
  for (const { statements, undone } of plan.steps) {
    if (undone) await client.query('savepoint undone');
    for (const { tag, sql, copy } of statements) {
      const text = `/* ${tag} */ ${sql}`;
      report(tag);
      if (copy === undefined) await client.query(text);
      else await pipeline(Readable.from([copy]), client.query(copyFrom(text)));
    }
    if (undone) await client.query('rollback to savepoint undone');
  }
}

/** A report as lines for a person. */
export function describeHistory(report: HistoryReport): string {
  const { waits } = report;
  const longest = (list: { ms: number }[]) => Math.max(0, ...list.map(({ ms }) => ms)).toFixed(1);
  const byTag = Map.groupBy(waits.othersForEngine, ({ tag, lock }) => `${tag} (${lock})`);
  return [
    `seed ${report.seed}: ${report.seconds.toFixed(1)} s`,
    `  transactions: ${report.committed} committed, ${report.rolledBack} rolled back, ${report.unknown} unknown, ` +
      `failed ${JSON.stringify(report.failed)}`,
    `  serialization failures of ${JSON.stringify(report.conflicts)}, deadlocks of ${JSON.stringify(report.victims)}`,
    `  ${report.checks} checks of ${report.values} values; ${report.drains} drains of ${report.drainedRows} rows, ` +
      `${report.reconciles} reconciles, ${report.pauses} pauses, ${report.kills} kills, ${report.deadlocks} deadlocks`,
    `  ${report.recomputes} recomputes beside the worker's, ${report.declarations} declarations, ` +
      `${report.reactions} runs of reactions`,
    `  ${waits.samples} samples, ${waits.waits.length} waits; voters for the engine ${waits.votersForEngine.length}, ` +
      `on logs ${waits.onLogs.length}, to extend logs ${waits.toExtendLogs.length} (longest ${longest(waits.toExtendLogs)} ms), ` +
      `others for the engine ${waits.othersForEngine.length} (longest ${longest(waits.othersForEngine)} ms)`,
    ...[...byTag].map(([tag, list]) => `    ${tag}: ${list.length}, longest ${longest(list)} ms`),
    ...[...waits.votersForEngine, ...waits.onLogs].map((wait) => `  WAIT ${JSON.stringify(wait)}`),
    ...report.faults.slice(0, 10).map((fault) => `  FAULT ${fault}`),
  ].join('\n');
}
