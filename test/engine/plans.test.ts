import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../lib/database.ts';
import { explain, nodesOf, type PlanNode } from '../lib/plan.ts';
import { drainAll } from './lib/history.ts';

/*
 * Plans by shape: what reads and drains a counter goes by index, whatever the tables hold and
 * whatever the planner was told about them. Seen in two ways: the plan itself, and how often tables
 * were scanned from end to end when it ran. On the community schema with all its counters.
 *
 * The states follow each other on one connection, so that plans made over empty tables, and kept,
 * are used over full ones.
 */

const VOTES = 200_000;
const PENDING = 100_000;

let db: TestDatabase;
let client: pg.Client;

interface Counter {
  name: string;
  target: string;
  exact: string;
  /** A key of the target, as SQL: there need not be a row. */
  key: string;
  /** Source, through and their logs, the carry and recount tables, the members. */
  relations: string[];
}
let counters: Counter[];

beforeAll(async () => {
  db = await createTestDatabase();
  client = await db.connect();
  // Scans by parallel workers would not count as this session's.
  await client.query('set max_parallel_workers_per_gather = 0');
  await client.query(`
    insert into app_public.account (display_name) select 'a' || i from generate_series(1, 3000) i;
    insert into app_public.conversation (owner_id, topic)
      select 1, 't' || i from generate_series(1, 40) i;
  `);
  const { rows } = await client.query<Counter>(
    `select d.name, d.target::regclass::text as target, (millrace.generated(d)).exact,
       (
         select string_agg(
           format('%I = %L::%s', k.name,
             case millrace.column_type(d.target, k.name) when 'date' then 'today' else '1' end,
             millrace.column_type(d.target, k.name)), ' and ')
         from unnest(d.target_key) k(name)
       ) as key,
       array(
         select r.name from (
           select d.source::text union select d.through::text union select s.log::text
           union select (millrace.generated(d)).carry union select (millrace.generated(d)).recount
           union select (millrace.generated(d)).members where d.members is not null
         ) r(name) where r.name is not null
       ) as relations
     from millrace.derivation d join millrace.source s on s.relation in (d.source, d.through)
     where d.state = 'active' and d.kind = 'counter'
       -- where only one of the two tables has the key, what is pending of the other is read whole
       and (d.through is null or d.key <@ array(
         select 'source.' || k from unnest(d.source_key) k))
     group by d.id, d.name, s.log order by d.name`,
  );
  counters = Object.values(
    Object.groupBy(rows, ({ name }) => name) as Record<string, Counter[]>,
  ).map((parts) => ({
    ...parts[0]!,
    relations: [...new Set(parts.flatMap(({ relations }) => relations))],
  }));
});

afterAll(async () => {
  await db.drop();
});

/** Tables that the plan reads from end to end. */
function scanned(plan: PlanNode): string[] {
  return nodesOf(plan)
    .filter((node) => node['Node Type'] === 'Seq Scan')
    .map((node) => `${node.Schema}.${node['Relation Name']}`);
}

/**
 * Scans of the log of votes that do not enter an index by a key and by the transactions that may be
 * undrained: a read of one key must not depend on what is pending for others, nor on what is drained
 * and cannot be removed yet.
 */
function entersWide(plan: PlanNode): string[] {
  return nodesOf(plan)
    .filter((node) => node['Relation Name'] === 'app_public__opinion_vote')
    .filter(
      ({ 'Index Cond': condition = '' }) =>
        !/(conversation_id|opinion_id) = /.test(condition) || !/recorded_in >= /.test(condition),
    )
    .map((node) => `${node['Node Type']}: ${node['Index Cond']}`);
}

/** The plan of the expression that an exact read returns, under the settings of its function. */
async function exactPlan({ exact, target }: Counter): Promise<PlanNode> {
  const { rows } = await client.query<{ body: string; settings: string[] }>(
    `select p.prosrc as body, p.proconfig as settings
     from pg_proc p where p.oid = to_regprocedure($1)`,
    [`${exact}(${target})`],
  );
  const { body, settings } = rows[0]!;
  const expression = /^\s*begin\s+return (.*);\s*end\s*$/s.exec(body)?.[1];
  expect(expression, body).toBeDefined();
  await client.query('begin');
  try {
    for (const setting of settings) {
      const [name, ...value] = setting.split('=');
      if (name !== 'search_path') {
        await client.query('select set_config($1, $2, true)', [name, value.join('=')]);
      }
    }
    await client.query(`prepare exact_read (${target}) as select ${expression}`);
    return await explain(client, `execute exact_read (null::${target})`, [], 'verbose');
  } finally {
    await client.query('deallocate all');
    await client.query('rollback');
  }
}

/** Runs a statement and returns which of the tables it scanned from end to end. */
async function scansOf(statement: string, relations: readonly string[]): Promise<string[]> {
  await client.query('begin');
  const before = await scanCounts(relations);
  await client.query(statement);
  const after = await scanCounts(relations);
  await client.query('commit');
  return relations.filter((_, i) => after[i] !== before[i]);
}

/** Sequential scans of each table by this session since its statistics were last reported. */
async function scanCounts(relations: readonly string[]): Promise<string[]> {
  const { rows } = await client.query<{ counts: string[] }>(
    `select array(
       select pg_stat_get_xact_numscans(r.relation::regclass)::text
       from unnest($1::text[]) with ordinality r(relation, i) order by i
     ) as counts`,
    [relations],
  );
  return rows[0]!.counts;
}

async function expectExactReadsByIndex(): Promise<void> {
  expect(counters.length).toBeGreaterThan(10);
  for (const counter of counters) {
    const plan = await exactPlan(counter);
    expect(nodesOf(plan).length, counter.name).toBeGreaterThan(3);
    expect(scanned(plan), counter.name).toEqual([]);
    expect(entersWide(plan), `${counter.name} by its key`).toEqual([]);
    expect(
      await scansOf(
        `select ${counter.exact}(t) from ${counter.target} t where ${counter.key}`,
        counter.relations,
      ),
      counter.name,
    ).toEqual([]);
  }
}

// The targets are small here: a drain may as well read them as look them up.
const SOURCES = ['app_public.opinion_vote'];
/** What distinct counters know of their members: about as large as a source. */
const members = () => [
  ...new Set(
    counters.flatMap(({ relations }) => relations.filter((name) => name.endsWith('__members'))),
  ),
];

async function vote(opinion: number, voter: number): Promise<void> {
  await client.query(
    `insert into app_public.opinion_vote (opinion_id, voter_id, conversation_id, choice)
     select o.id, $2, o.conversation_id, 'agree' from app_public.opinion o where o.id = $1`,
    [opinion, voter],
  );
}

describe('with empty logs that were never vacuumed', () => {
  test('exact reads go by index', async () => {
    const { rows } = await client.query(
      `select s.log::text from millrace.source s
       -- accounts were made above
       where s.relation <> 'app_public.account'::regclass
         and (pg_relation_size(s.log) > 0 or pg_stat_get_last_vacuum_time(s.log) is not null)`,
    );
    expect(rows).toEqual([]);
    await expectExactReadsByIndex();
  });
});

describe('with a few pending rows', () => {
  test('exact reads go by index', async () => {
    await client.query(`
      insert into app_public.opinion (conversation_id, author_id, content)
        select i % 40 + 1, i, 'c' from generate_series(1, 2000) i`);
    await vote(1, 1);
    await vote(2, 1);
    await expectExactReadsByIndex();
    await drainAll(client);
  });
});

describe(`with ${VOTES} votes and ${PENDING} pending rows, nothing analyzed`, () => {
  beforeAll(async () => {
    // What a table held when it was last looked at is no reason to read it from end to end.
    for (const relation of members()) await client.query(`vacuum (analyze) ${relation}`);
    await client.query(
      `insert into app_public.opinion_vote (opinion_id, voter_id, conversation_id, choice)
       select o.id, v, o.conversation_id, 'agree'
       from app_public.opinion o, generate_series(11, 10 + $1::integer) v`,
      [VOTES / 2000],
    );
    await drainAll(client);
    await client.query(
      `update app_public.opinion_vote set choice = 'pass'
       where voter_id between 11 and 10 + $1::integer`,
      [PENDING / 4000],
    );
  }, 120_000);

  test('exact reads go by index', async () => {
    const { rows } = await client.query(
      'select count(*)::integer as n from millrace_log.app_public__opinion_vote',
    );
    expect(rows[0].n).toBe(PENDING);
    await expectExactReadsByIndex();
  });

  test('and by index when the logs are analyzed', async () => {
    await client.query('analyze millrace_log.app_public__opinion_vote');
    await expectExactReadsByIndex();
  });

  test('a drain of one row does not scan the votes', async () => {
    await drainAll(client);
    await vote(3, 1);
    expect(members().length).toBeGreaterThan(1);
    expect(await scansOf('select millrace.drain()', [...SOURCES, ...members()])).toEqual([]);
    await client.query(`update app_public.opinion set moderation = 'moved' where id = 4`);
    expect(await scansOf('select millrace.drain()', [...SOURCES, ...members()])).toEqual([]);
  });

  test('nor does one that is planned anew after analyze', async () => {
    await client.query(`analyze app_public.opinion_vote; analyze app_public.opinion;
      analyze app_public.conversation; analyze millrace_log.app_public__opinion_vote;
      analyze millrace_log.app_public__opinion`);
    await vote(3, 2);
    await client.query(`update app_public.opinion set moderation = null where id = 4`);
    expect(await scansOf('select millrace.drain()', SOURCES)).toEqual([]);
    await expectExactReadsByIndex();
  });

  test('the check sees a scan', async () => {
    expect(
      await scansOf(
        'select count(*) from app_public.opinion_vote where choice::text = $$x$$',
        SOURCES,
      ),
    ).toEqual(['app_public.opinion_vote']);
    const plan = await explain(
      client,
      'select * from app_public.opinion_vote where cancelled_at is not null',
      [],
      'verbose',
    );
    expect(scanned(plan)).toContain('app_public.opinion_vote');
  });
});

describe('while a snapshot is held open', () => {
  /** Pages that exact reads of a conversation touch. */
  const pages = async () => {
    const read = `select app_public.conversation_vote_count(c),
      app_public.conversation_participant_count(c) from app_public.conversation c where c.id = 1`;
    await client.query(read);
    const plan = await explain(client, read, [], 'analyze, buffers');
    return plan['Shared Hit Blocks'] + plan['Shared Read Blocks'];
  };
  test('exact reads pass what is drained', async () => {
    await drainAll(client);
    const before = await pages();
    const holder = await db.connect();
    await holder.query('begin isolation level repeatable read; select from app_public.account');
    for (let voter = 2000; voter < 2400; voter += 20) {
      await client.query(
        `insert into app_public.opinion_vote (opinion_id, voter_id, conversation_id, choice)
         select o.id, $1 + i, o.conversation_id, 'agree'
         from app_public.opinion o, generate_series(0, 19) i where o.conversation_id = 1`,
        [voter],
      );
      await drainAll(client);
    }
    await client.query('begin');
    // As the last drain notes it, had nobody written elsewhere in the cluster meanwhile.
    await client.query(`
      delete from millrace.horizon;
      insert into millrace.horizon (number, since, written_by)
        select g.number + 1, pg_snapshot_xmax(pg_current_snapshot()), pg_current_xact_id()::xid
        from millrace.generation g`);
    // The versions of the target's row and of the note are passed one by one, on few pages.
    const knowing = (await pages()) - before;
    expect(knowing).toBeLessThan(60);
    // The check sees what it costs not to know.
    await client.query('delete from millrace.horizon');
    const unknowing = (await pages()) - before;
    expect(unknowing).toBeGreaterThan(200);
    await client.query('rollback');
    await holder.query('rollback');
    await holder.end();
  });
});

describe('a writer appends', () => {
  const images = async (statement: string) => {
    await drainAll(client);
    await client.query('begin');
    await client.query(statement);
    const { rows } = await client.query<{ sign: number; n: number }>(
      `select sign, count(*)::integer as n
       from millrace_log.app_public__opinion_vote group by sign order by sign`,
    );
    await client.query('rollback');
    return Object.fromEntries(rows.map(({ sign, n }) => [sign, n]));
  };
  const NEW = `insert into app_public.opinion_vote (opinion_id, voter_id, conversation_id, choice)
    select o.id, 2900, o.conversation_id, 'pass' from app_public.opinion o where o.id <= 5`;
  const OURS = 'voter_id = 11 and opinion_id <= 5';

  test.each([
    ['one row for each row inserted, whatever is derived from it', NEW, { 1: 5 }],
    ['one for each row deleted', `delete from app_public.opinion_vote where ${OURS}`, { '-1': 5 }],
    [
      'the old and the new image of each row changed',
      `update app_public.opinion_vote set choice = 'disagree' where ${OURS}`,
      { '-1': 5, 1: 5 },
    ],
    [
      'nothing for columns that nothing reads',
      `update app_public.opinion_vote set cast_at = now() where ${OURS}`,
      {},
    ],
    [
      'nothing for rows that stay the same',
      `update app_public.opinion_vote set choice = choice where ${OURS}`,
      {},
    ],
    ['nothing for statements without rows', 'delete from app_public.opinion_vote where false', {}],
    [
      'only what an upsert really does',
      `${NEW} on conflict do nothing; ${NEW} on conflict (opinion_id, voter_id) do update set choice = 'pass'`,
      { 1: 5 },
    ],
  ])('%s', async (_, statement, expected) => {
    expect(await images(statement)).toEqual(expected);
  });
});
