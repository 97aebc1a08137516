import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { expect } from 'vitest';
import { createRandom, type Random } from './random.ts';

/*
 * A random history on one connection: whatever statement runs, and whatever becomes of its
 * transaction, the exact read of every counter equals a recount in the same statement; once
 * everything is drained, so does what is stored, and reconcile agrees.
 */

/** A counter and, independently of the engine, what it has to be. */
export interface Expectation {
  /** Name of the derivation. */
  name: string;
  /** Target table, as SQL. */
  target: string;
  /** The derived column, as SQL. */
  column: string;
  /** The generated function, as SQL; null where its name had to be cut: then it is looked up. */
  exact: string | null;
  /** The value for the row `t` of the target, as SQL over base tables. */
  truth: string;
  /** Which rows `t` of the target to check; default: all. */
  where?: string;
}

/** Statements, or rows to COPY. */
export type Step = string | { copy: string; rows: readonly (readonly unknown[])[] };

export interface Scenario {
  /** Makes the tables and some target rows. */
  tables: string;
  declarations: string;
  expectations: readonly Expectation[];
  operations: readonly ((random: Random) => Step)[];
}

export interface HistoryOptions {
  seed: number;
  steps: number;
}

/** Tables, declarations, and a random history with a check after every step. */
export async function runScenario(
  client: pg.Client,
  template: Scenario,
  { seed, steps }: HistoryOptions,
): Promise<void> {
  await client.query(template.tables);
  await client.query(template.declarations);
  const scenario = { ...template, expectations: await nameExactReads(client, template) };
  const random = createRandom(seed);
  const told: string[] = [];
  const context = () => `seed ${seed}, after:\n${told.slice(-12).join('\n')}`;
  let moved = 0;

  async function attempt(step: Step): Promise<void> {
    told.push(describe(step));
    await client.query('savepoint attempt');
    try {
      await execute(client, step);
    } catch (error) {
      // A random statement may violate a constraint, or upsert a row twice: then it has done
      // nothing. All else is a fault.
      const { code = '', message } = error as pg.DatabaseError;
      if (!code.startsWith('23') && code !== '21000')
        throw new Error(`${message} (${code})\n${context()}`);
      told.push(`  -- ${code}`);
      await client.query('rollback to savepoint attempt');
    }
  }

  for (let step = 0; step < steps; step += 1) {
    await client.query('begin');
    const count = 1 + (random.oneIn(3) ? random.below(3) : 0);
    for (let i = 0; i < count; i += 1) {
      if (random.oneIn(6)) {
        told.push('savepoint undone;');
        await client.query('savepoint undone');
        await attempt(random.pick(scenario.operations)(random));
        await checkExact(client, scenario, context);
        told.push('rollback to undone;');
        await client.query('rollback to savepoint undone');
      } else {
        await attempt(random.pick(scenario.operations)(random));
      }
      await checkExact(client, scenario, context);
    }
    const end = random.oneIn(7) ? 'rollback' : 'commit';
    told.push(`${end};`);
    await client.query(end);
    await checkExact(client, scenario, context);

    if (random.oneIn(3)) {
      const slice = random.pick([1, 2, 5, 20_000]);
      told.push(`select millrace.drain(${slice});`);
      const { rows } = await client.query('select millrace.drain($1) as drain', [slice]);
      moved += rows[0].drain.rows;
      await checkExact(client, scenario, context);
    }
    if (random.oneIn(25)) {
      told.push('select millrace.reconcile(null, true);');
      await checkReconcile(client, context);
      await checkExact(client, scenario, context);
    }
  }
  moved += await drainAll(client);
  await checkStored(client, scenario, context);
  await checkReconcile(client, context);
  expect(moved, 'the drains had something to do').toBeGreaterThan(0);
}

async function nameExactReads(
  client: pg.Client,
  { expectations }: Scenario,
): Promise<Expectation[]> {
  const { rows } = await client.query<{ column: string; exact: string }>(
    `select format('%I', d.target_column) as column, (millrace.generated(d)).exact
     from millrace.derivation d where d.kind = 'counter'`,
  );
  return expectations.map((expectation) => ({
    ...expectation,
    exact:
      expectation.exact ?? rows.find(({ column }) => column === expectation.column)?.exact ?? null,
  }));
}

/** Drains until nothing is pending; returns the log rows taken. */
export async function drainAll(client: pg.ClientBase): Promise<number> {
  let rows = 0;
  for (let i = 0; i < 1000; i += 1) {
    const { rows: result } = await client.query('select millrace.drain() as drain');
    const { drain } = result[0];
    rows += drain.rows;
    if (drain.rows === 0 && drain.keys === 0 && !drain.more) return rows;
  }
  throw new Error('1,000 drains were not enough');
}

/** Every row whose exact read differs from the recount, both taken in one statement. */
export async function checkExact(
  client: pg.ClientBase,
  { expectations }: Pick<Scenario, 'expectations'>,
  context: () => string = () => '',
): Promise<void> {
  await checkEqual(client, expectations, ({ exact }) => `${exact}(t)`, 'exact', context);
}

/** The same of what is stored; a column that may be null is null where nothing was ever counted. */
export async function checkStored(
  client: pg.ClientBase,
  { expectations }: Pick<Scenario, 'expectations'>,
  context: () => string = () => '',
): Promise<void> {
  await checkEqual(
    client,
    expectations,
    ({ column }) => `coalesce(t.${column}, 0)`,
    'stored',
    context,
  );
}

async function checkEqual(
  client: pg.ClientBase,
  expectations: readonly Expectation[],
  value: (expectation: Expectation) => string,
  what: string,
  context: () => string,
): Promise<void> {
  const parts = expectations.map(
    (expectation, i) =>
      `select ${i} as counter, to_jsonb(t) as row, (${value(expectation)})::numeric as got,
         (${expectation.truth})::numeric as truth from ${expectation.target} t where ${expectation.where ?? 'true'}`,
  );
  const { rows } = await client.query(
    `select * from (${parts.join(' union all ')}) c where got is distinct from truth limit 3`,
  );
  if (rows.length === 0) return;
  const faults = rows.map(
    ({ counter, row, got, truth }) =>
      `${expectations[counter]?.name}: ${what} ${got}, truth ${truth}, row ${JSON.stringify(row)}`,
  );
  expect.fail(`${faults.join('\n')}\n${context()}`);
}

async function checkReconcile(client: pg.ClientBase, context: () => string): Promise<void> {
  const { rows } = await client.query(
    'select name, drift, examples from millrace.reconcile(null, true) where keys_drifted > 0',
  );
  expect(rows, context()).toEqual([]);
}

async function execute(client: pg.Client, step: Step): Promise<void> {
  if (typeof step === 'string') {
    await client.query(step);
    return;
  }
  const lines = step.rows.map((row) => `${row.map((value) => value ?? '\\N').join('\t')}\n`);
  await pipeline(Readable.from(lines), client.query(copyFrom(`copy ${step.copy} from stdin`)));
}

function describe(step: Step): string {
  return typeof step === 'string' ? `${step};` : `copy ${step.copy}: ${JSON.stringify(step.rows)}`;
}
