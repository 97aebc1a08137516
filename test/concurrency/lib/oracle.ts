import type pg from 'pg';
import type { Derived } from './world.ts';

/*
 * The oracle: every derived value beside a recount that knows nothing of the engine, both in one
 * statement and so in one snapshot.
 */

export interface Comparison {
  /** Values compared. */
  values: number;
  /** One line for each value that differs. */
  faults: string[];
}

/** One statement that compares each value of `derived` with its recount. */
function comparisonSql(derived: readonly Derived[], what: 'exact' | 'stored'): string {
  return `/* check */ select count(*)::integer as values, coalesce(jsonb_agg(line) filter (where differs), '[]') as faults
    from (${derived
      .map(
        (it) => `select format('${it.name} of %s is %s, recount %s',
          jsonb_build_array(${it.key.map((column) => `t.${column}`).join(', ')}), t.found, t.truth) as line,
        t.found is distinct from t.truth as differs
      from (
        select t.*, ${what === 'exact' ? `${it.exact}(t)` : `t.${it.column}`}::numeric as found,
          ${it.truth}::numeric as truth
        from ${it.target} t
      ) t`,
      )
      .join('\nunion all\n')}) compared`;
}

/** Compares exact reads, or stored values, with a recount in the same snapshot. */
export async function compare(
  client: pg.ClientBase,
  derived: readonly Derived[],
  what: 'exact' | 'stored' = 'exact',
): Promise<Comparison> {
  const { rows } = await client.query<Comparison>(comparisonSql(derived, what));
  return rows[0] as Comparison;
}

/** Drains, by slices of `slice`, until a drain finds nothing; false if it does not come to rest. */
export async function drainAll(client: pg.ClientBase, slice = 20_000): Promise<boolean> {
  for (let round = 0; round < 5_000; round += 1) {
    const drain = await client.query<{
      drain: { rows: number; keys: number; more: boolean; busy?: boolean };
    }>('select millrace.drain($1) as drain', [slice]);
    const found = drain.rows[0]!.drain;
    if (found.busy) throw new Error('somebody else drains while the history is over');
    if (found.rows === 0 && found.keys === 0 && !found.more) return true;
  }
  return false;
}

/**
 * What must hold when nobody writes any more: everything drained, stored values and members equal
 * to a recount both ways, all derivations active, and no drift for reconcile to find or found
 * before, unless something was meant to drift.
 */
export async function settle(
  client: pg.ClientBase,
  derived: readonly Derived[],
  { slice, drifts = false }: { slice?: number; drifts?: boolean } = {},
): Promise<Comparison> {
  const faults: string[] = [];
  if (!drifts) {
    const { rows: found } = await client.query<{ line: string }>(
      `select format('reconcile found drift %s in %s keys of %s: %s', d.drift, d.keys_drifted, d.name,
          d.examples) as line
      from millrace.drift_log d`,
    );
    faults.push(...found.map(({ line }) => line));
  }
  const { rows: paused } = await client.query<{ name: string }>(
    "select d.name from millrace.derivation d where d.state = 'paused'",
  );
  for (const { name } of paused) await client.query('select millrace.resume($1)', [name]);
  const exact = await compare(client, derived);
  faults.push(...exact.faults.map((fault) => `before the last drain: ${fault}`));
  if (!(await drainAll(client, slice))) faults.push('drains do not come to rest');

  const { rows: states } = await client.query<{ line: string }>(
    `select format('%s is %s: %s', d.name, d.state, d.last_error) as line
    from millrace.derivation d where d.state <> 'active'`,
  );
  faults.push(...states.map(({ line }) => line));
  const { rows: logs } = await client.query<{ log: string }>(
    'select unnest(millrace_log.pending_logs())::text as log',
  );
  faults.push(...logs.map(({ log }) => `${log} still has rows after the last drain`));

  const again = await compare(client, derived);
  faults.push(...again.faults.map((fault) => `after the last drain: ${fault}`));
  for (const it of derived) {
    const key = it.key.map((column) => `t.${column}`).join(', ');
    faults.push(
      ...(await differences(
        client,
        `the stored ${it.name}`,
        `select ${key}, t.${it.column}::numeric from ${it.target} t`,
        `select ${key}, ${it.truth}::numeric from ${it.target} t`,
      )),
    );
    if (it.members) {
      const members = (column: string) => it.key.map((name) => `${column}.${name}`).join(', ');
      const { rows } = await client.query<{ name: string }>(
        'select (millrace.generated(d)).members as name from millrace.derivation d where d.name = $1',
        [it.name],
      );
      // Members of keys that have no target row belong to nobody.
      const existing = (
        sql: string,
      ) => `select m.* from (${sql}) m (${it.key.join(', ')}, member, n)
        where exists (select from ${it.target} t where (${members('t')}) = (${members('m')}))`;
      faults.push(
        ...(await differences(
          client,
          `the members of ${it.name}`,
          existing(`select * from ${rows[0]!.name}`),
          existing(it.members),
        )),
      );
    }
  }
  const { rows: found } = await client.query<{ line: string }>(
    `select format('reconcile finds drift %s in %s keys of %s: %s', r.drift, r.keys_drifted, r.name,
        r.examples) as line
    from millrace.reconcile() r where r.keys_drifted > 0`,
  );
  faults.push(...found.map(({ line }) => line));
  return { values: exact.values + again.values, faults };
}

/** `except all` both ways. */
async function differences(
  client: pg.ClientBase,
  what: string,
  found: string,
  truth: string,
): Promise<string[]> {
  const { rows } = await client.query<{ line: string }>(
    `select format('%s is not the recount: %s %s', ${literal(what)}, d.side, to_jsonb(d) - 'side') as line
    from (
      (select 'has' as side, x.* from (${found} except all ${truth}) x)
      union all
      (select 'lacks' as side, x.* from (${truth} except all ${found}) x)
    ) d`,
  );
  return rows.map(({ line }) => line);
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
