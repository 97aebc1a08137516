import pg from 'pg';
import { guarded } from '../../../scripts/lib/pg-owner.ts';
import { letTimePass, runJobs, taskList } from './jobs.ts';
import { EDITIONS, REACTIONS, RELATIONS, type Relation } from './relations.ts';
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

/**
 * Compares rows of live views, each read by its key, with what they have to be, in one snapshot. The
 * keys are all that there are and all that are stored. A relation shows one edition of its
 * definition, never two.
 */
export async function compareLive(
  client: pg.ClientBase,
  relations: readonly Relation[] = RELATIONS.filter((it) => it.strategy === 'incremental'),
): Promise<Comparison> {
  const { rows } = await client.query<Comparison>(
    `/* check */ select count(*)::integer as values,
      coalesce(jsonb_agg(line) filter (where differs), '[]') as faults
    from (${relations.map(liveSql).join('\nunion all\n')}) compared`,
  );
  return rows[0] as Comparison;
}

function liveSql(it: Relation): string {
  const key = it.key.join(', ');
  const columns = [...it.columns, ...(it.versioned ? ['edition'] : [])].join(', ');
  const editions = it.versioned ? EDITIONS : [1 as const];
  const truth = editions
    .map(
      (edition) => `left join (
        select ${key}, to_jsonb(x) as truth_${edition}
        from (select ${columns} from (${it.truth(edition)}) x) x
      ) t${edition} using (${key})`,
    )
    .join('\n');
  return `select format('${it.name}_live of %s is %s, truth %s', jsonb_build_array(${key}), found,
      truth_1) as line,
    ${editions.map((edition) => `found is distinct from truth_${edition}`).join(' and ')}
      or count(*) filter (where found ->> 'edition' = '1') over () > 0
        and count(*) filter (where found ->> 'edition' = '2') over () > 0 as differs
  from (${it.keys} union select ${key} from ${it.name}) k
  left join lateral (
    select to_jsonb(x) as found from (
      select ${columns} from ${it.name}_live l
      where (${it.key.map((name) => `l.${name}`).join(', ')})
        = (${it.key.map((name) => `k.${name}`).join(', ')})
      offset 0
    ) x
  ) l on true
  ${truth}`;
}

/** The world's relations that are kept by key just now, and so have a live view. */
export async function keptByKey(client: pg.ClientBase): Promise<Relation[]> {
  const { rows } = await client.query<{ name: string }>(
    "select d.name from millrace.derivation d where d.strategy = 'incremental'",
  );
  return RELATIONS.filter((it) => rows.some(({ name }) => name === it.name));
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

export interface SettleOptions {
  slice?: number;
  /** Whether something was meant to drift, which reconcile then has found. */
  drifts?: boolean;
  /** Whether the world's relations and reactions are there. Default true. */
  relations?: boolean;
}

/**
 * What must hold when nobody writes any more: everything drained, stored values and members equal
 * to a recount both ways, all derivations active, and no drift for reconcile to find or found
 * before, unless something was meant to drift.
 */
export async function settle(
  client: pg.ClientBase,
  derived: readonly Derived[],
  { slice, drifts = false, relations = true }: SettleOptions = {},
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
  if (relations) {
    const live = await compareLive(client, await keptByKey(client));
    faults.push(...live.faults.map((fault) => `before the last drain: ${fault}`));
  }
  if (!(await drainAll(client, slice))) faults.push('drains do not come to rest');
  faults.push(...(await runToRest(client)));

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
  faults.push(...(await compareRelations(client, relations)));
  const { rows: found } = await client.query<{ line: string }>(
    `select format('reconcile finds drift %s in %s keys of %s: %s', r.drift, r.keys_drifted, r.name,
        r.examples) as line
    from millrace.reconcile() r where r.keys_drifted > 0`,
  );
  faults.push(...found.map(({ line }) => line));
  return { values: exact.values + again.values, faults };
}

/** Lets time pass and jobs run until nothing waits; says what does not come to rest. */
export async function runToRest(client: pg.ClientBase): Promise<string[]> {
  const pool = guarded(new pg.Pool({ ...connectionOf(client), max: 2 }), 'jobs');
  try {
    const tasks = await taskList(client);
    let stuck: string[] = [];
    for (let round = 0; round < 40; round += 1) {
      if (!(await drainAll(client))) return ['drains do not come to rest'];
      await client.query('select millrace.tick()');
      await runJobs(pool, tasks);
      await client.query('select millrace.tick()');
      stuck = await whatWaits(client);
      if (stuck.length === 0) return [];
      await letTimePass(client);
    }
    return stuck.map((line) => `does not come to rest: ${line}`);
  } finally {
    await pool.end();
  }
}

/** The same database as the same login: what a client was opened with. */
function connectionOf(client: pg.ClientBase): pg.ClientConfig {
  const { host, port, database, user, password } = client as pg.Client;
  return { host, port, database, user, password, options: '-c role=app_owner' };
}

/** What still waits for something, one line each. */
export async function whatWaits(client: pg.ClientBase): Promise<string[]> {
  const { rows } = await client.query<{ line: string }>(`
    select format('%s has rows', l.log) as line
    from unnest(millrace_log.pending_logs()) l(log)
    union all
    select format('keys of %s wait', d.name)
    from millrace.derivation d where d.id = any (millrace_log.waiting_derivations())
    union all
    select format('%s %s has job %s (%s attempts, locked %s, run at %s): %s', d.name, r.key, r.job_id,
      j.attempts, j.locked_at, j.run_at, j.last_error)
    from millrace.run r
    join millrace.derivation d on d.id = r.derivation
    left join graphile_worker.jobs j on j.id = r.job_id
    where r.job_id is not null
    union all
    select format('job %s of %s is left: %s', j.id, j.task_identifier, j.last_error)
    from graphile_worker.jobs j
    where not exists (select from millrace.run r where r.job_id = j.id)
    union all
    select format('%s is %s: %s', d.name, d.state, d.last_error)
    from millrace.derivation d where d.state in ('backfilling', 'failed')
    union all
    select format('%s %s has failed: %s', d.name, f.key, f.last_error)
    from millrace.failed_key f join millrace.derivation d on d.id = f.derivation
    union all
    select format('%s %s is dead: %s', d.name, r.key, r.last_error)
    from millrace.run r join millrace.derivation d on d.id = r.derivation where r.dead_at is not null`);
  return rows.map(({ line }) => line);
}

/**
 * Every derived relation, those of the application too, beside its definition as declared, and the world's beside
 * their independent truth, both ways; what the reactions' tasks noted beside what they had to note.
 */
export async function compareRelations(client: pg.ClientBase, world = true): Promise<string[]> {
  const faults: string[] = [];
  const { rows } = await client.query<{ name: string; definition: string; columns: string }>(
    `select millrace.qualified_name(d.target) as name,
      (millrace.relation_names(d.name)).definition, millrace.list(d.columns) as columns
    from millrace.derivation d where d.kind = 'materialize' and d.state <> 'paused'`,
  );
  for (const { name, definition, columns } of rows) {
    faults.push(
      ...(await differences(
        client,
        `${name} beside its definition`,
        `select ${columns} from ${name}`,
        `select ${columns} from ${definition}`,
      )),
    );
  }
  if (!world) return faults;
  for (const it of RELATIONS) {
    const columns = [...it.columns, ...(it.versioned ? ['edition'] : [])].join(', ');
    const { rows: editions } = await client.query<{ edition: 1 | 2 }>(
      it.versioned
        ? `select coalesce(max(edition), 1) as edition from ${it.name}`
        : 'select 1 as edition',
    );
    faults.push(
      ...(await differences(
        client,
        it.name,
        `select ${columns} from ${it.name}`,
        `select ${columns} from (${it.truth(editions[0]!.edition)}) x`,
      )),
    );
  }
  for (const it of REACTIONS) {
    faults.push(...(await differences(client, `what ${it.task} noted`, it.noted, it.truth)));
  }
  const { rows: overlaps } = await client.query<{ line: string }>(
    `select format('two runs of %s at once for %s', o.task, o.key) as line from proof.overlap o`,
  );
  faults.push(...overlaps.map(({ line }) => line));
  return faults;
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
